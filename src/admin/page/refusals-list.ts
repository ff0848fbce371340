/** Refusals and failures by reason, and of each by encoder: lines to open for their requests. */
import type { ActivityReport, RefusalGroup, TroubleReport } from '../activity-report.js'
import { byId, element, setText } from './element.js'
import { agoText, countText, dateText, zoneText } from './words.js'

/** What is open stays open, by what it is of. */
const open = new Set<string>()

/** What was last shown: the same is left alone, with whatever is selected in it. */
let shown = ''

export function showRefusals({ refusals, refusalsNotShown, now }: ActivityReport): void {
  const reasons = [...new Set(refusals.map(({ reason }) => reason))]
  const text = JSON.stringify(refusals)
  if (text !== shown) {
    shown = text
    byId('refusals').replaceChildren(
      ...reasons.map((word) =>
        reasonLine(
          word,
          refusals.filter(({ reason }) => reason === word),
        ),
      ),
    )
  }
  for (const last of byId('refusals').querySelectorAll<HTMLElement>('.last'))
    last.textContent = `last ${agoText(Number(last.dataset.at), now)}`
  setText('refusals-words', wordsOf(refusals.length, refusalsNotShown))
}

function wordsOf(count: number, notShown: number): string {
  if (count === 0) return 'None within the last hour.'
  return notShown === 0 ? '' : `${countText(notShown)} older ones are in the log only.`
}

const namedMax = 3
const encodersMax = 20

function reasonLine(reason: string, groups: readonly RefusalGroup[]): HTMLElement {
  const title = element('b', groups.every(isRefusal) ? {} : { class: 'alarm' }, reason)
  const [first] = groups
  if (first === undefined || groups.length === 1) {
    const items = first === undefined ? [] : first.requests.map(itemOf)
    return line(reason, title, groups, element('ul', {}, ...items))
  }
  const lines = groups
    .slice(0, encodersMax)
    .map((group) =>
      line(
        `${reason} ${nameOf(group)}`,
        element('b', {}, nameOf(group)),
        [group],
        element('ul', {}, ...group.requests.map(itemOf)),
      ),
    )
  const more = groups.length - lines.length
  const rest = more === 0 ? [] : [element('p', {}, `${countText(more)} more are in the log.`)]
  return line(reason, title, groups, element('div', { class: 'groups' }, ...lines, ...rest))
}

const isRefusal = ({ requests }: RefusalGroup): boolean => requests[0]?.outcome === 'refused'
const nameOf = ({ encoder }: RefusalGroup): string => encoder ?? 'no known encoder'

function line(
  key: string,
  title: HTMLElement,
  groups: readonly RefusalGroup[],
  content: HTMLElement,
): HTMLElement {
  const count = groups.reduce((sum, group) => sum + group.count, 0)
  const last = Math.max(...groups.map((group) => group.last))
  const isReason = key === title.textContent
  const summary = element(
    'summary',
    {},
    title,
    ' ',
    ...(isReason ? [element('span', {}, namesOf(groups)), ' '] : []),
    element('span', { class: 'count' }, `${countText(count)} ×`),
    ' ',
    element('span', { class: 'last', 'data-at': String(last) }),
  )
  const details = element('details', { class: 'group' }, summary, content)
  details.open = open.has(key)
  details.addEventListener('toggle', () => {
    if (details.open) open.add(key)
    else open.delete(key)
  })
  return details
}

function namesOf(groups: readonly RefusalGroup[]): string {
  const names = groups.slice(0, namedMax).map(nameOf).join(', ')
  const more = groups.length - namedMax
  return more > 0 ? `${names} and ${countText(more)} more` : names
}

function itemOf({ time, id, client, method, path, status }: TroubleReport): HTMLElement {
  return element(
    'li',
    {},
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

/** Where the page may not write the clipboard, the id is selected instead. */
function copyButton(id: string): HTMLButtonElement {
  const button = element('button', { type: 'button', 'aria-label': `copy the id ${id}` }, 'copy')
  button.addEventListener('click', () => {
    void copied(id).then((isCopied) => {
      button.textContent = isCopied ? 'copied' : 'selected'
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
