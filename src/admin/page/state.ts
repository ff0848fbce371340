/** The daemon's state: whether it is ready, and what an operator looks at first. */
import type { ActivityReport } from '../activity-report.js'
import { spanText } from '../../time/span-text.js'
import { dayMs } from '../../time/units.js'
import { isLedgerAlarm, ledgerText } from '../ledger-text.js'
import { type EndpointStatus, endpointText, type StatusReport } from '../status-report.js'
import { byId, element, setText } from './element.js'
import { agoText, countText, none } from './words.js'

/** Of `/readyz`. */
export interface Readiness {
  readonly ready?: boolean
  readonly missing?: readonly string[]
}

export function showVerdict({ ready, missing = [] }: Readiness): void {
  setVerdict(ready === true ? 'ready' : `not ready: ${missing.join(', ')}`, ready === true)
}

export function setVerdict(words: string, isGood: boolean): void {
  setText('verdict', words)
  byId('verdict').className = isGood ? 'good' : 'alarm'
  document.title = isGood ? 'pinwarden' : `${words} – pinwarden`
}

export function showState(
  status: StatusReport,
  activity: ActivityReport,
  readiness: Readiness,
): void {
  const rows = rowsOf(status, activity, readiness)
  byId('state').replaceChildren(
    ...rows.map(([name, words, isAlarm = false]) =>
      element(
        'div',
        {},
        element('dt', {}, name),
        element('dd', isAlarm ? { class: 'alarm' } : {}, words),
      ),
    ),
  )
}

function settingsText(
  { since, isLastRefused, needRestart = [] }: StatusReport['settings'],
  now: number,
) {
  if (isLastRefused) return 'the newest were refused: pinwarden check says why'
  const age = `in force since ${spanText(now - Date.parse(since))}`
  return needRestart.length === 0
    ? age
    : `${age}; a restart is needed for ${needRestart.join(', ')}`
}

const isDown = ({ state }: EndpointStatus): boolean => state === 'down'

function clusterText(endpoints: readonly EndpointStatus[], isAway: boolean): string {
  return `${endpoints.map(endpointText).join(', ')} ${isAway ? 'does not answer' : 'answers'}`
}

function journalRows(journal: StatusReport['journal']): readonly StateRow[] {
  if (journal === null) return []
  const { waiting, made, dropped, rejected } = journal
  const words = [
    `${countText(waiting)} pins wait`,
    `${countText(made)} replayed`,
    `${countText(dropped)} dropped`,
    ...(rejected > 0 ? [`${countText(rejected)} rejected`] : []),
  ].join(', ')
  return [['Journal', words, waiting > 0 || dropped > 0 || rejected > 0]]
}

const ledgerRows = (ledger: StatusReport['ledger']): readonly StateRow[] =>
  ledger === undefined ? [] : [['Ledger', ledgerText(ledger), isLedgerAlarm(ledger)]]

type StateRow = readonly [name: string, words: string, isAlarm?: boolean]

function rowsOf(
  { version, node, startedAt, url, requestsUnderWay, logLinesDropped, ...rest }: StatusReport,
  { cluster, now }: ActivityReport,
  { missing = [] }: Readiness,
): readonly StateRow[] {
  const { certificateExpires, settings } = rest
  const { isLastRefused, needRestart = [] } = settings
  const isAway = missing.includes('cluster')
  const left = certificateExpires === null ? null : Date.parse(certificateExpires) - now
  const fault = cluster.lastFault
  return [
    ['Cluster', clusterText(rest.endpoints, isAway), isAway || rest.endpoints.some(isDown)],
    ...journalRows(rest.journal),
    ...ledgerRows(rest.ledger),
    ['Last answer to an encoder', agoText(cluster.lastAnswered, now)],
    ['Last fault', fault === null ? none : `${agoText(fault.time, now)}: ${fault.reason}`],
    ['Under way', `${countText(requestsUnderWay)} requests`],
    ['Gate', url ?? 'not open yet'],
    ['Up', `${spanText(now - Date.parse(startedAt))}, version ${version} on Node ${node}`],
    ['Settings', settingsText(settings, now), isLastRefused || needRestart.length > 0],
    [
      'Certificate',
      left === null ? 'none: plain HTTP' : `${spanText(left)} left`,
      left !== null && left < 7 * dayMs,
    ],
    [
      'Log',
      logLinesDropped === 0 ? 'complete' : `${countText(logLinesDropped)} lines lost`,
      logLinesDropped > 0,
    ],
  ]
}
