/** Refusals and failures by reason and encoder: each line opens to its requests. */
import type { ActivityReport, RefusalGroup, ProblemReport } from '../activity-report.js'
import { byId, element, setChildren, setText } from './element.js'
import { agoText, countText, dateText, zoneText } from './words.js'

export function showRefusals({ refusals, refusalsNotShown, now }: ActivityReport): void {
  const reasons = [...new Set(refusals.map(({ reason }) => reason))]
  setChildren(
    byId('refusals'),
    reasons.map((word) => {
      const groups = refusals.filter(({ reason }) => reason === word)
      return reasonLine(word, groups, now)
    }),
  )
  setText('refusals-words', wordsOf(refusals.length, refusalsNotShown))
}

function wordsOf(count: number, notShown: number): string {
  if (count === 0) return 'None within the last hour.'
  return notShown === 0 ? '' : `${countText(notShown)} older ones are only in the log.`
}

const namedMax = 3
const encodersMax = 20

function reasonLine(reason: string, groups: readonly RefusalGroup[], now: number): HTMLElement {
  const title = element('b', groups.every(isRefusal) ? {} : { class: 'alarm' }, reason)
  const heading = [title, ' ', element('span', {}, namesOf(groups))]
  const [first] = groups
  if (first !== undefined && groups.length === 1)
    return line(reason, heading, groups, requestsOf(first), now)
  const lines = groups
    .slice(0, encodersMax)
    .map((group) =>
      line(nameOf(group), [element('b', {}, nameOf(group))], [group], requestsOf(group), now),
    )
  const more = groups.length - lines.length
  const rest = more === 0 ? [] : [element('p', {}, `${countText(more)} more are in the log.`)]
  return line(reason, heading, groups, element('div', { class: 'groups' }, ...lines, ...rest), now)
}

const isRefusal = ({ requests }: RefusalGroup): boolean => requests[0]?.outcome === 'refused'
const nameOf = ({ encoder }: RefusalGroup): string => encoder ?? 'no known encoder'

function line(
  key: string,
  heading: readonly (HTMLElement | string)[],
  groups: readonly RefusalGroup[],
  content: HTMLElement,
  now: number,
): HTMLElement {
  const count = groups.reduce((sum, group) => sum + group.count, 0)
  const last = Math.max(...groups.map((group) => group.last))
  const summary = element(
    'summary',
    {},
    ...heading,
    ' ',
    element('span', { class: 'count' }, `${countText(count)} ×`),
    ' ',
    element('span', { class: 'last' }, `last ${agoText(last, now)}`),
  )
  return element('details', { class: 'group', 'data-key': key }, summary, content)
}

function namesOf(groups: readonly RefusalGroup[]): string {
  const names = groups.slice(0, namedMax).map(nameOf).join(', ')
  const more = groups.length - namedMax
  return more > 0 ? `${names} and ${countText(more)} more` : names
}

const requestsOf = ({ requests }: RefusalGroup): HTMLElement =>
  element('ul', {}, ...requests.map(itemOf))

function itemOf({ time, id, client, method, path, status }: ProblemReport): HTMLElement {
  return element(
    'li',
    { 'data-key': id },
    element(
      'time',
      { datetime: new Date(time).toISOString() },
      dateText(time),
      ' ',
      zoneText(time),
    ),
    ` status ${status} to ${client} `,
    element('code', {}, `${method} ${path}`),
    ' ',
    element('span', { class: 'id' }, element('code', {}, id), ' ', copyButton(id)),
  )
}

/** The result of the last copy, by request id. */
const pressed = new Map<string, 'copied' | 'selected'>()

/** Where the browser forbids the clipboard, the page selects the id instead. */
function copyButton(id: string): HTMLButtonElement {
  const words = pressed.get(id) ?? 'copy'
  const button = element('button', { type: 'button', 'aria-label': `copy the id ${id}` }, words)
  button.addEventListener('click', () => {
    void copied(id).then((isCopied) => {
      button.textContent = isCopied ? 'copied' : 'selected'
      pressed.set(id, isCopied ? 'copied' : 'selected')
      const code = button.parentElement?.querySelector('code') ?? undefined
      if (!isCopied && code !== undefined) getSelection()?.selectAllChildren(code)
    })
  })
  return button
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
