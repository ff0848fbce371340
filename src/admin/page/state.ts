/** The daemon's state: what is wrong first, then the peers, the pins, and what is in force. */
import type { ActivityReport } from '../activity-report.js'
import { spanText } from '../../time/span-text.js'
import { dayMs } from '../../time/units.js'
import { isLedgerAlarm, ledgerText } from '../ledger-text.js'
import {
  type Alarm,
  clockTexts,
  type EndpointStatus,
  type StatusReport,
  storeText,
} from '../status-report.js'
import { byId, element, setChildren, setText } from './element.js'
import { agoText, countText, dateText, none, zoneText } from './words.js'

/** The answer of `/readyz`. */
export interface Readiness {
  readonly ready?: boolean
  readonly missing?: readonly string[]
}

export function showVerdict({ ready, missing = [] }: Readiness, alarms: readonly Alarm[]): void {
  const count = alarms.length
  const more = count === 0 ? '' : `, ${count} ${count === 1 ? 'thing is' : 'things are'} wrong`
  if (ready !== true) setVerdict(`not ready: ${missing.join(', ')}`, 'alarm')
  else setVerdict(`ready${more}`, count === 0 ? 'good' : 'warning')
}

export function setVerdict(words: string, kind: 'good' | 'warning' | 'alarm'): void {
  setText('verdict', words)
  byId('verdict').className = kind
  document.title = kind === 'good' ? 'pinwarden' : `${words} – pinwarden`
}

export function showState(status: StatusReport, activity: ActivityReport): void {
  const { now } = activity
  setText('host', status.host ?? '')
  byId('plain-http').hidden = status.url?.startsWith('http://') !== true
  showAlarms(status.alarms ?? [], now)
  setChildren(
    byId('peers'),
    status.endpoints.map((endpoint) => peerChip(endpoint, now)),
  )
  setChildren(byId('figures'), figuresOf(status, activity).map(entryOf))
  setChildren(byId('state'), rowsOf(status, activity).map(entryOf))
}

/** Shows that the daemon does not answer, which only the page can know. */
export function showAbsent(since: number, now: number): void {
  const alarm: Alarm = {
    id: 'absent',
    severity: 'urgent',
    what: 'The daemon does not answer this page.',
    cause: 'The daemon, this machine, or the tunnel to it. All figures below are older.',
    next: 'Run systemctl status pinwarden, then journalctl -u pinwarden -n 50.',
    since,
  }
  byId('alarms').querySelector('.absent')?.remove()
  byId('alarms').prepend(alarmCard(alarm, now, 'urgent absent'))
}

function showAlarms(alarms: readonly Alarm[], now: number): void {
  const cards = alarms.map((alarm) => alarmCard(alarm, now, alarm.severity))
  const nothing = element('li', { class: 'nothing' }, 'Nothing, as far as this gate can see.')
  setChildren(byId('alarms'), cards.length === 0 ? [nothing] : cards)
}

const alarmCard = ({ what, cause, next, since }: Alarm, now: number, kinds: string): HTMLElement =>
  element(
    'li',
    { class: kinds },
    element('p', { class: 'what' }, element('strong', {}, what)),
    element(
      'p',
      { class: 'since' },
      'Since ',
      element('time', { datetime: new Date(since).toISOString() }, dateText(since)),
      ` ${zoneText(since)}, for ${spanText(now - since)}.`,
    ),
    element('p', {}, cause),
    element('p', {}, element('strong', {}, 'What to do: '), next),
  )

/** The state is also a word: not every reader sees the colour. */
function peerChip(endpoint: EndpointStatus, now: number): HTMLElement {
  const { name, state, since, reason, lagSeconds = 0 } = endpoint
  const span = since === undefined ? '' : ` ${spanText(now - Date.parse(since))}`
  const why = reason === undefined || state === 'up' ? '' : `, ${reason}`
  const lag = lagSeconds > 0 ? `, lags behind ${spanText(lagSeconds * 1000)}` : ''
  const clock = clockTexts(endpoint).map((text) => `, its clock is ${text}`)
  const words = element('b', {}, state + span)
  return element('li', { class: `peer ${state}` }, `${name} `, words, why + lag, ...clock)
}

type Entry = readonly [name: string, words: string, isAlarm?: boolean]

const entryOf = ([name, words, isAlarm = false]: Entry): HTMLElement =>
  element(
    'div',
    {},
    element('dt', {}, name),
    element('dd', isAlarm ? { class: 'alarm' } : {}, words),
  )

/** Pins and the ledger. */
function figuresOf(
  { journal, ledger }: StatusReport,
  { pins: { pinned, pending, failed, failing } }: ActivityReport,
): readonly Entry[] {
  const { missing = 0, unexpected = 0 } = ledger?.reportedRows ?? {}
  const reports = missing + unexpected
  return [
    ['Pinned, last hour', countText(pinned)],
    ['Pending', countText(pending)],
    ['Failing, to be retried', countText(failing), failing > 0],
    ['Failed, last hour', countText(failed), failed > 0],
    ['Queued', journal === null ? none : countText(journal.waiting), (journal?.waiting ?? 0) > 0],
    [
      'Refused from queue',
      journal === null ? none : countText(journal.rejected),
      (journal?.rejected ?? 0) > 0,
    ],
    ['In doubt', ledger === undefined ? none : doubtText(ledger)],
    ['Changed outside', ledger === undefined ? none : countText(reports), reports > 0],
  ]
}

const doubtText = ({ doubts, oldestDoubtMs = 0 }: NonNullable<StatusReport['ledger']>): string =>
  doubts === 0 ? '0' : `${countText(doubts)}, for ${spanText(oldestDoubtMs)}`

function rowsOf(status: StatusReport, { cluster, now }: ActivityReport): readonly Entry[] {
  const { version, node, startedAt, url, requestsInFlight, logLinesDropped, ledger, store } = status
  const { certificateExpires, settings } = status
  const left = certificateExpires === null ? null : Date.parse(certificateExpires) - now
  const fault = cluster.lastFault
  return [
    ['Gate', url ?? 'not listening yet'],
    [
      'Certificate',
      left === null ? 'none: plain HTTP' : `${spanText(left)} left`,
      left !== null && left < 7 * dayMs,
    ],
    ['Settings', settingsText(settings, now), settings.isLastRefused],
    ...(ledger === undefined
      ? []
      : [['Ledger', ledgerText(ledger), isLedgerAlarm(ledger)] as const]),
    ...(store === null ? [] : [['Store', storeText(store), !store.isUp] as const]),
    ['Last answer of the cluster', agoText(cluster.lastAnswered, now)],
    ['Last fault', fault === null ? none : `${agoText(fault.time, now)}: ${fault.reason}`],
    ['In flight', `${countText(requestsInFlight)} requests`],
    [
      'Log',
      logLinesDropped === 0 ? 'complete' : `${countText(logLinesDropped)} lines lost`,
      logLinesDropped > 0,
    ],
    ['Up', `${spanText(now - Date.parse(startedAt))}, version ${version} on Node ${node}`],
  ]
}

function settingsText(
  { since, isLastRefused, needRestart = [] }: StatusReport['settings'],
  now: number,
): string {
  if (isLastRefused) return 'the latest were refused'
  const age = `in force for ${spanText(now - Date.parse(since))}`
  return needRestart.length === 0 ? age : `${age}; some wait for a restart`
}
