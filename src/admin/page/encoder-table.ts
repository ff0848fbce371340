/** The table of encoders: searched, ordered, and twenty rows of it at first. */
import { spanText } from '../../time/span-text.js'
import { dayMs } from '../../time/units.js'
import type { ActivityReport, EncoderReport, LimitReport } from '../activity-report.js'
import { byId, element, setText } from './element.js'
import { type Column, fillTable } from './html-table.js'
import { agoText, countText, natural, none, tookText } from './words.js'

type Row = EncoderReport & { readonly now: number; readonly isStrangers?: boolean }

const rowsAtFirst = 20
const moreRows = 100

let latest: ActivityReport | undefined
let rowsMax = rowsAtFirst

export function showEncoders(activity: ActivityReport): void {
  latest = activity
  const { encoders, encodersNotShown, strangers, now } = activity
  const rows: Row[] = encoders.map((encoder) => ({ ...encoder, now }))
  if (strangers.requests > 0) rows.push({ ...unknown, ...strangers, now })
  const words = search().value.trim().toLowerCase()
  const found = rows.filter(({ name }) => name.includes(words)).sort(orders[orderName()])
  const shown = found.slice(0, rowsMax)
  fillTable(byId('encoders'), columns, shown, ({ name }) => name)
  setText('shown', shownText(shown.length, found.length, encodersNotShown))
  const left = found.length - shown.length
  byId('more').hidden = left === 0
  setText('more', `Show ${countText(Math.min(moreRows, left))} more`)
}

function shownText(shown: number, found: number, notShown: number): string {
  if (found === 0 && search().value === '')
    return 'No encoders yet: pinwarden keys add NAME creates one.'
  const count = found === 0 ? 'No encoder matches.' : `${countText(shown)} of ${countText(found)}.`
  if (notShown === 0) return count
  return `${count} ${countText(notShown)} more are not shown: see pinwarden encoders list.`
}

/** Requests without a valid credential, as a row of their own. */
const unknown = {
  name: 'no known encoder',
  isStrangers: true,
  role: null,
  isEnabled: true,
  lastSeen: null,
  limits: [],
  pins: { pinned: 0, failed: 0, pending: 0, failing: 0 },
  liveKeys: 0,
  keyExpires: null,
} as const

const soonMs = 7 * dayMs

const isKeySoon = ({ keyExpires, now }: Row): boolean =>
  keyExpires !== null && keyExpires - now < soonMs

/** Failures count most, then expiring keys, then refusals. */
function problemsOf(row: Row): number {
  const { failed, refused, pins } = row
  return (
    (failed + pins.failed + pins.failing) * 1e9 +
    (isKeySoon(row) ? 1e8 : 0) +
    Math.min(refused, 1e8 - 1)
  )
}

type Order = (one: Row, other: Row) => number

const byName: Order = (one, other) => natural(one.name, other.name)
const most =
  (figure: (row: Row) => number): Order =>
  (one, other) =>
    figure(other) - figure(one) || byName(one, other)
const least =
  (figure: (row: Row) => number | null): Order =>
  (one, other) =>
    (figure(one) ?? Infinity) - (figure(other) ?? Infinity) || byName(one, other)

const orders = {
  'problems first': most(problemsOf),
  name: byName,
  'last seen': most(({ lastSeen }) => lastSeen ?? 0),
  requests: most(({ requests }) => requests),
  refused: most(({ refused }) => refused),
  failed: most(({ failed }) => failed),
  'pending pins': most(({ pins }) => pins.pending + pins.failing),
  slowest: most(({ p99 }) => p99 ?? 0),
  'use of limits': most(({ limits }) => Math.max(0, ...limits.map(({ used, max }) => used / max))),
  'key expiry': least(({ keyExpires }) => keyExpires ?? Number.MAX_SAFE_INTEGER),
} as const satisfies Record<string, Order>

const search = () => byId('search') as HTMLInputElement
const order = () => byId('order') as HTMLSelectElement

const isOrder = (word: string): word is keyof typeof orders => Object.hasOwn(orders, word)
const orderName = () => (isOrder(order().value) ? (order().value as keyof typeof orders) : 'name')

function again(): void {
  if (latest !== undefined) showEncoders(latest)
}

order().append(...Object.keys(orders).map((name) => element('option', { value: name }, name)))
order().addEventListener('change', again)
search().addEventListener('input', again)
byId('more').addEventListener('click', () => {
  rowsMax += moreRows
  again()
})

const columns: readonly Column<Row>[] = [
  { title: 'Encoder', cell: nameCell },
  {
    title: 'Last seen',
    cell: ({ lastSeen, now }) => element('span', { class: 'short' }, agoText(lastSeen, now)),
  },
  { title: 'Requests', isFigure: true, cell: ({ requests }) => countText(requests) },
  { title: 'Refused', isFigure: true, cell: ({ refused }) => countText(refused) },
  { title: 'Failed', isFigure: true, cell: failedCell },
  { title: 'Why', isWide: true, cell: reasonsCell },
  { title: 'Pins', isWide: true, cell: pinsCell },
  { title: 'Median', isFigure: true, cell: ({ p50 }) => tookText(p50) },
  { title: '99th percentile', isFigure: true, cell: ({ p99 }) => tookText(p99) },
  { title: 'Use of limits', isWide: true, cell: limitsCell },
  { title: 'Key expires', cell: keyCell },
]

function nameCell({ name, role, isEnabled, isStrangers }: Row) {
  if (isStrangers === true) return element('em', {}, name)
  const state = role === null ? 'removed' : isEnabled ? role : `${role}, disabled`
  return element('span', { class: 'name' }, name, ' ', element('small', {}, state))
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

function keyCell(row: Row) {
  const { role, isStrangers, liveKeys, keyExpires, now } = row
  if (isStrangers === true || role === null) return none
  if (liveKeys === 0) return element('strong', { class: 'alarm' }, 'has no live key')
  if (keyExpires === null) return 'never'
  const words = `in ${spanText(keyExpires - now)}`
  return element('span', { class: isKeySoon(row) ? 'alarm short' : 'short' }, words)
}
