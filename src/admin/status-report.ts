/** What `/status` shows, as JSON: the daemon's state, alarms first. */
import type { HealthState } from '../health/circuit-breaker.js'
import type { LedgerStatus, QueueCounts } from '../ledger/ledger-metrics.js'
import type { StoreReport } from '../store/store-metrics.js'
import { spanText } from '../time/span-text.js'
import { minuteMs } from '../time/units.js'

export interface Alarm {
  /** Stable while it lasts: the kind, and its object. */
  readonly id: string
  /** `urgent`: encoders are refused, or soon will be; `soon`: within days. */
  readonly severity: 'urgent' | 'soon'
  readonly what: string
  /** The part at fault, and the encoders that it affects. */
  readonly cause: string
  readonly next: string
  /** Milliseconds since the epoch: when it began, or was first seen. */
  readonly since: number
}

export interface EndpointStatus {
  readonly name: string
  /** Scheme, host and port; absent from an older daemon's answer. */
  readonly url?: string
  /** `half-open`: it was down, and a few requests try it. */
  readonly state: HealthState
  /** RFC 3339: when it came up, or stopped being up; absent from an older daemon's answer. */
  readonly since?: string
  /** Why it is not up. */
  readonly reason?: string | undefined
  /**
   * How long the endpoint has lacked what another one has; absent from an older daemon's answer.
   */
  readonly lagSeconds?: number
  /** The cluster's clock minus that of this host; absent from an older daemon's answer. */
  readonly clockAheadMs?: number
}

/** At most one text: that the clocks differ. */
export function clockTexts({ clockAheadMs = 0 }: EndpointStatus): readonly string[] {
  const [spanMs, side] = [Math.abs(clockAheadMs), clockAheadMs > 0 ? 'ahead of' : 'behind']
  return spanMs > minuteMs ? [`${spanText(spanMs)} ${side} this host's`] : []
}

/** An alarm, at most, that the clocks differ. */
export const clockAlarms = (endpoint: EndpointStatus): readonly Omit<Alarm, 'since'>[] =>
  clockTexts(endpoint).map((text) => ({
    id: `clocks-differ ${endpoint.name}`,
    severity: 'urgent',
    what: `The clock of ${endpoint.name} is ${text}.`,
    cause: 'This machine, or the cluster. Pins that expire may be refused, or end too early.',
    next: 'On both hosts: timedatectl status; use NTP.',
  }))

/** An endpoint in a line: its name, and what is wrong with it. */
export function endpointText(endpoint: EndpointStatus): string {
  const { name, state, lagSeconds = 0 } = endpoint
  const faults = [
    ...(state === 'up' ? [] : [state]),
    ...(lagSeconds > 0 ? [`lags behind for ${lagSeconds} s`] : []),
    ...clockTexts(endpoint).map((text) => `its clock is ${text}`),
  ]
  return faults.length === 0 ? name : `${name} (${faults.join(', ')})`
}

/** What is wrong with the store, which part is at fault, and what to do. */
const storeProblems = {
  cluster: [
    () => 'waits until the cluster says which one it is',
    'The cluster does not answer GET /id.',
    'Nothing, once the cluster answers: pinwarden status shows it.',
  ],
  namespace: [
    () => 'has a namespace that belongs to another cluster',
    'The settings.',
    'Set store.namespace to a name that no other cluster uses, and restart.',
  ],
  errors: [
    (named: string) => `answers with errors${named}`,
    'The Valkey or Redis of store.redis.',
    'See redis-cli INFO on its host: its memory, its role and replicas; and its ACL.',
  ],
  silence: [
    (named: string) => `does not answer${named}`,
    'The Valkey or Redis of store.redis.',
    'Check whether it runs, and whether this machine can reach it.',
  ],
} as const

function storeWords({ problem = 'silence', fault = '', isRefusing }: StoreReport) {
  const [does, cause, next] = storeProblems[problem]
  const effect = isRefusing
    ? 'every request gets 503, by store.failMode'
    : 'limits and locks are those of this gate alone'
  return { does: does(fault === '' ? '' : ` (${fault})`), cause, effect, next }
}

/** The state of the store in a line. */
export function storeText(store: StoreReport): string {
  const { does, effect } = storeWords(store)
  return store.isUp ? 'shared' : `${does}; ${effect}`
}

/** An alarm, at most. */
export function storeAlarms(store: StoreReport | null): readonly Omit<Alarm, 'since'>[] {
  if (store === null || store.isUp) return []
  const { does, cause, effect, next } = storeWords(store)
  const isAnothers = store.problem === 'namespace'
  return [
    {
      id: isAnothers ? 'store-of-another-cluster' : 'store-down',
      severity: store.isRefusing || isAnothers ? 'urgent' : 'soon',
      what: `The store that the gates share ${does}.`,
      cause: `${cause} ${effect.charAt(0).toUpperCase()}${effect.slice(1)}.`,
      next,
    },
  ]
}

/** Its name, and why it is down. */
export const reasonText = ({ name, reason }: EndpointStatus): string =>
  reason === undefined ? name : `${name} (${reason})`

/** Whether the cluster does not accept the gate's login. */
export const isRefused = ({ reason }: EndpointStatus): boolean => reason === 'cluster-auth'

const loginText =
  'It answers 401 or 403: set username and passwordFile in cluster.endpoints to those of its ' +
  'basic_auth_credentials.'

const curlText = ({ name, url = `http://${name}` }: EndpointStatus): string =>
  `curl ${name.startsWith('/') ? `--unix-socket ${name} ` : ''}${url}/id`

/** What to do about endpoints that are down. */
export const remedyText = (down: readonly EndpointStatus[]): string =>
  down.every(isRefused)
    ? loginText
    : `On its host: systemctl status ipfs-cluster; from here: ${down.map(curlText).join('; ')}.`

export interface StatusReport {
  readonly version: string
  readonly node: string
  /** Name of the machine; absent, as `alarms` is, from an older daemon's answer. */
  readonly host?: string
  readonly startedAt: string
  /** Null until the gate listens. */
  readonly url: string | null
  readonly cluster: readonly string[]
  readonly endpoints: readonly EndpointStatus[]
  /** What an operator has to act on, the most urgent first. */
  readonly alarms?: readonly Alarm[]
  /** Pins that were accepted while the cluster was down; null: there is no journal. */
  readonly journal: QueueCounts | null
  /** What the gate owes, and whether the cluster has it; absent from an older daemon's answer. */
  readonly ledger?: LedgerStatus
  /** Whether the store of several gates answers; null: this gate is alone. */
  readonly store: StoreReport | null
  readonly encoders: number
  readonly requestsInFlight: number
  readonly logLinesDropped: number
  /** Null without TLS. */
  readonly certificateExpires: string | null
  readonly settings: {
    /** Absent from an older daemon's answer. */
    readonly file?: string
    readonly since: string
    readonly isLastRefused: boolean
    /** Fields whose newest value waits for a restart; absent from an older daemon's answer. */
    readonly needRestart?: readonly string[]
  }
}
