/** The daemon's state: whether it is ready, and what an operator looks at first. */
import type { ActivityReport } from '../activity-report.js'
import { byId, element, setText } from './element.js'
import { agoText, countText, none, spanText } from './words.js'

/** What the page takes of `/status`. */
export interface Status {
  readonly version: string
  readonly node: string
  readonly startedAt: string
  readonly url: string
  readonly endpoints: readonly { readonly name: string; readonly state: string }[]
  readonly journal: Journal | null
  readonly requestsUnderWay: number
  readonly logLinesDropped: number
  readonly certificateExpires: string | null
  readonly settings: {
    readonly since: string
    readonly isLastRefused: boolean
    /** Fields whose newest value waits for a restart. */
    readonly needRestart: readonly string[]
  }
}

interface Journal {
  readonly waiting: number
  readonly made: number
  readonly dropped: number
}

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

export function showState(status: Status, activity: ActivityReport, readiness: Readiness): void {
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

function settingsText({ since, isLastRefused, needRestart }: Status['settings'], now: number) {
  if (isLastRefused) return 'the newest were refused: pinwarden check says why'
  const age = `in force since ${spanText(now - Date.parse(since))}`
  return needRestart.length === 0
    ? age
    : `${age}; a restart is needed for ${needRestart.join(', ')}`
}

type Endpoint = Status['endpoints'][number]

const isDown = ({ state }: Endpoint): boolean => state === 'down'

function clusterText(endpoints: readonly Endpoint[], isAway: boolean): string {
  const names = endpoints.map(({ name, state }) => (state === 'up' ? name : `${name} (${state})`))
  return `${names.join(', ')} ${isAway ? 'does not answer' : 'answers'}`
}

function journalRows(journal: Journal | null): readonly StateRow[] {
  if (journal === null) return []
  const { waiting, made, dropped } = journal
  const counts = [`${countText(made)} made`, `${countText(dropped)} dropped`].join(', ')
  const words = `${countText(waiting)} pins wait, ${counts}`
  return [['Journal', words, waiting > 0 || dropped > 0]]
}

type StateRow = readonly [name: string, words: string, isAlarm?: boolean]

function rowsOf(
  { version, node, startedAt, url, requestsUnderWay, logLinesDropped, ...rest }: Status,
  { cluster, now }: ActivityReport,
  { missing = [] }: Readiness,
): readonly StateRow[] {
  const { certificateExpires, settings } = rest
  const isAway = missing.includes('cluster')
  const left = certificateExpires === null ? null : Date.parse(certificateExpires) - now
  const fault = cluster.lastFault
  return [
    ['Cluster', clusterText(rest.endpoints, isAway), isAway || rest.endpoints.some(isDown)],
    ...journalRows(rest.journal),
    ['Last answer to an encoder', agoText(cluster.lastAnswered, now)],
    ['Last fault', fault === null ? none : `${agoText(fault.time, now)}: ${fault.reason}`],
    ['Under way', `${countText(requestsUnderWay)} requests`],
    ['Gate', url],
    ['Up', `${spanText(now - Date.parse(startedAt))}, version ${version} on Node ${node}`],
    [
      'Settings',
      settingsText(settings, now),
      settings.isLastRefused || settings.needRestart.length > 0,
    ],
    [
      'Certificate',
      left === null ? 'none: plain HTTP' : `${spanText(left)} left`,
      left !== null && left < 7 * 86_400_000,
    ],
    [
      'Log',
      logLinesDropped === 0 ? 'complete' : `${countText(logLinesDropped)} lines lost`,
      logLinesDropped > 0,
    ],
  ]
}
