/** The table of encoders. */
import { spanText } from '../../time/span-text.js'
import { dayMs } from '../../time/units.js'
import type { ActivityReport, EncoderReport, LimitReport } from '../activity-report.js'
import { byId, element, setText } from './element.js'
import { type Column, fillTable } from './html-table.js'
import { agoText, countText, none, tookText } from './words.js'

type Row = EncoderReport & { readonly now: number; readonly isNobody?: boolean }

export function showEncoders({ encoders, encodersNotShown, strangers, now }: ActivityReport): void {
  const rows: Row[] = encoders.map((encoder) => ({ ...encoder, now }))
  if (strangers.requests > 0) rows.push({ ...nobody, ...strangers, now })
  fillTable(byId('encoders'), columns, rows, keyOf)
  setText(
    'not-shown',
    encodersNotShown === 0 ? '' : `${countText(encodersNotShown)} more are not shown.`,
  )
}

/** Requests without a credential that fits, as a row of its own. */
const nobody = {
  name: 'nobody known',
  isNobody: true,
  role: null,
  isEnabled: true,
  lastSeen: null,
  limits: [],
  pins: { pinned: 0, failed: 0, pending: 0, failing: 0 },
  liveKeys: 0,
  keyExpires: null,
} as const

const columns: readonly Column<Row>[] = [
  { title: 'Encoder', cell: nameCell },
  { title: 'Last seen', cell: ({ lastSeen, now }) => element('span', {}, agoText(lastSeen, now)) },
  { title: 'Requests', isFigure: true, cell: ({ requests }) => countText(requests) },
  { title: 'Refused', isFigure: true, cell: ({ refused }) => countText(refused) },
  { title: 'Failed', isFigure: true, cell: failedCell },
  { title: 'Why', isWide: true, cell: reasonsCell },
  { title: 'Pins', isWide: true, cell: pinsCell },
  { title: 'Half within', isFigure: true, cell: ({ p50 }) => tookText(p50) },
  { title: '99 % within', isFigure: true, cell: ({ p99 }) => tookText(p99) },
  { title: 'Limits used', isWide: true, cell: limitsCell },
  { title: 'Key expires', cell: keyCell },
]

const keyOf = (row: Row): string =>
  JSON.stringify({ ...row, now: 0, shown: columns.map(({ cell }) => textOf(cell(row))) })

const textOf = (child: Node | string): string =>
  typeof child === 'string' ? child : (child.textContent ?? '')

function nameCell({ name, role, isEnabled, isNobody }: Row) {
  if (isNobody === true) return element('em', {}, name)
  const state = role === null ? 'removed' : isEnabled ? role : `${role}, disabled`
  return element('span', {}, name, ' ', element('small', {}, state))
}

function failedCell({ failed }: Row) {
  return failed === 0 ? '0' : element('strong', { class: 'alarm' }, countText(failed))
}

/** The most frequent first. */
function reasonsCell({ reasons }: Row) {
  const entries = Object.entries(reasons).sort(([, one], [, other]) => other - one)
  if (entries.length === 0) return none
  const items = entries.map(([reason, count]) => element('li', {}, `${countText(count)} ${reason}`))
  return element('ul', { class: 'reasons' }, ...items)
}

/** Pinned and failed of the last hour; the others as it is now. */
function pinsCell({ pins }: Row) {
  const words = (['pinned', 'failed', 'pending', 'failing'] as const)
    .filter((word) => pins[word] > 0)
    .map((word) => `${countText(pins[word])} ${word}`)
  if (words.length === 0) return none
  const isAlarm = pins.failed > 0 || pins.failing > 0
  return element(isAlarm ? 'strong' : 'span', isAlarm ? { class: 'alarm' } : {}, words.join(', '))
}

function limitsCell({ limits }: Row) {
  const used = limits.filter((limit) => limit.used > 0)
  return used.length === 0 ? none : element('span', { class: 'limits' }, ...used.map(limitOf))
}

function limitOf({ budget, used, max, windowSeconds }: LimitReport): HTMLElement {
  const words = `${budget} ${countText(used)} of ${countText(max)}`
  const meter = element('meter', {
    min: '0',
    max: String(max),
    high: String(max * 0.8),
    optimum: '0',
    value: String(used),
    'aria-label': words,
    title: `in ${windowSeconds} s`,
  })
  return element('span', {}, `${words} `, meter)
}

const soonMs = 7 * dayMs

function keyCell({ role, isNobody, liveKeys, keyExpires, now }: Row) {
  if (isNobody === true || role === null) return none
  if (liveKeys === 0) return element('strong', { class: 'alarm' }, 'has no live key')
  if (keyExpires === null) return 'never'
  const words = `in ${spanText(keyExpires - now)}`
  return keyExpires - now < soonMs
    ? element('strong', { class: 'alarm' }, words)
    : element('span', {}, words)
}
