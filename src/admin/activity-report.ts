/** What the status page shows, as JSON: the last hour, by encoder and by time. */
import type { PendingPins } from '../tracking/tracked-pin.js'
import { type Budget, budgets } from '../settings/values/permissions.js'
import type { EncoderConfig } from '../settings/schema/schema.js'
import type { Snapshot } from '../settings/snapshot.js'
import {
  type Activity,
  encodersShownMax,
  type ProblemRequest,
  type ProblemGroup,
} from './activity.js'
import type { RequestTally } from './tally.js'

/** Times are milliseconds since the epoch, durations milliseconds. */
export interface ActivityReport {
  readonly now: number
  readonly cluster: {
    readonly lastAnswered: number | null
    readonly lastFault: ProblemReport | null
  }
  readonly series: Series
  /** The last hour, by name; the encoders seen first, if there are too many. */
  readonly encoders: readonly EncoderReport[]
  /** Left out, as there are too many. */
  readonly encodersNotShown: number
  /** For all encoders, including those left out. */
  readonly pins: PinsReport
  /** Requests without a known encoder. */
  readonly strangers: Counts
  /** Refusals and failures of the last hour by encoder and reason, the latest first. */
  readonly refusals: readonly RefusalGroup[]
  /** Left out, as there are too many. */
  readonly refusalsNotShown: number
}

export interface RefusalGroup {
  /** Null: the encoder is not known. */
  readonly encoder: string | null
  readonly reason: string
  /** In the last hour. */
  readonly count: number
  readonly last: number
  /** The latest few, the latest first. */
  readonly requests: readonly ProblemReport[]
}

/**
 * One value a step, the oldest first; the last step is not over. Null: nothing is known, as the
 * process had not begun.
 */
export interface Series {
  readonly stepMs: number
  /** When the first step began. */
  readonly from: number
  readonly requests: readonly (number | null)[]
  readonly refused: readonly (number | null)[]
  readonly failed: readonly (number | null)[]
  /** Null also where the cluster answered nothing. */
  readonly p50: readonly (number | null)[]
  readonly p99: readonly (number | null)[]
}

export interface Counts {
  readonly requests: number
  readonly refused: number
  readonly failed: number
  /** Refusals and failures by their reason. */
  readonly reasons: Readonly<Record<string, number>>
  readonly p50: number | null
  readonly p99: number | null
}

export interface EncoderReport extends Counts {
  readonly name: string
  /** Null for one that is in the log of the hour, but no longer in the settings. */
  readonly role: string | null
  readonly isEnabled: boolean
  readonly lastSeen: number | null
  readonly limits: readonly LimitReport[]
  readonly pins: PinsReport
  readonly liveKeys: number
  /** When the first of its live keys expires. */
  readonly keyExpires: number | null
}

export interface LimitReport {
  readonly budget: Budget
  /** In the current window. */
  readonly used: number
  readonly max: number
  readonly windowSeconds: number
}

export interface PinsReport extends PendingPins {
  /** In the last hour; also what had failed before. */
  readonly pinned: number
  /** In the last hour. */
  readonly failed: number
}

export interface ProblemReport {
  readonly time: number
  readonly id: string
  readonly encoder: string | null
  readonly client: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly outcome: string
  readonly reason: string
}

/** The remaining budget in its window; undefined outside of a window. */
export type Remaining = (encoder: string, budget: Budget) => number | undefined

/** Facts from the gate that are not in the log. */
export interface Standing {
  readonly budgetLeft: Remaining
  readonly pendingPins: () => ReadonlyMap<string, PendingPins>
}

export function activityReport(
  activity: Activity,
  { config, keyring }: Pick<Snapshot, 'config' | 'keyring'>,
  { budgetLeft, pendingPins }: Standing,
  now: number,
): ActivityReport {
  const pins = pendingPins()
  const steadyNow = activity.now()
  const timeOf: TimeOf = (steadyMs) => activity.timeOf(steadyMs, now)
  const { lastAnswered, lastFault, encoders: seen } = activity
  const known = Object.keys(config.encoders)
  const names = [...new Set([...seen.keys(), ...known])]
  const groups = activity.problems()
  const requestsMax = Math.max(1, Math.floor(requestsShownMax / groups.length))
  const sums = new Map([...seen].map(([name, { steps }]) => [name, steps.sum(steadyNow)]))
  const strangers = activity.strangers.sum(steadyNow)
  const reportOf = (name: string): EncoderReport => {
    const { lastSeen } = seen.get(name) ?? {}
    const sum = sums.get(name)
    const fields = config.encoders[name]
    return {
      name,
      role: fields?.role ?? null,
      isEnabled: fields?.enabled ?? false,
      lastSeen: lastSeen === undefined ? null : timeOf(lastSeen),
      ...countsOf(sum),
      limits: limitsOf(name, keyring, budgetLeft),
      pins: {
        pinned: sum?.pinned ?? 0,
        failed: sum?.pinsFailed ?? 0,
        ...(pins.get(name) ?? { pending: 0, failing: 0 }),
      },
      ...keysOf(fields, now),
    }
  }
  return {
    now,
    cluster: {
      lastAnswered: lastAnswered === undefined ? null : timeOf(lastAnswered),
      lastFault: lastFault === undefined ? null : problemOf(lastFault, timeOf),
    },
    series: seriesOf(activity, steadyNow, timeOf),
    encoders: names
      .slice(0, encodersShownMax)
      .sort()
      .map((name) => reportOf(name)),
    encodersNotShown: Math.max(0, names.length - encodersShownMax),
    pins: allPins(activity.series.until(steadyNow), pins),
    strangers: countsOf(strangers),
    refusals: groups
      .slice(0, groupsShownMax)
      .map((group) => groupOf(group, sums, strangers, timeOf, requestsMax)),
    refusalsNotShown: Math.max(0, groups.length - groupsShownMax),
  }
}

type TimeOf = (steadyMs: number) => number

/** Longer lists are not read; of many groups each shows fewer requests. */
const groupsShownMax = 256
const requestsShownMax = 300

function seriesOf({ series, startedAt }: Activity, steadyNow: number, timeOf: TimeOf): Series {
  const { stepMs, count } = series
  const steps = series.until(steadyNow)
  const before = count - 1 - (Math.floor(steadyNow / stepMs) - Math.floor(startedAt / stepMs))
  const counts = (of: (step: RequestTally) => number) =>
    steps.map((step, index) => (index < before ? null : step === undefined ? 0 : of(step)))
  const quantiles = (share: number) => steps.map((step) => step?.durations.quantile(share) ?? null)
  return {
    stepMs,
    from: timeOf((Math.floor(steadyNow / stepMs) - count + 1) * stepMs),
    requests: counts((step) => step.requests),
    refused: counts((step) => step.refused),
    failed: counts((step) => step.failed),
    p50: quantiles(0.5),
    p99: quantiles(0.99),
  }
}

function countsOf(tally: RequestTally | undefined): Counts {
  return {
    requests: tally?.requests ?? 0,
    refused: tally?.refused ?? 0,
    failed: tally?.failed ?? 0,
    reasons: Object.fromEntries(tally?.reasons ?? []),
    p50: tally?.durations.quantile(0.5) ?? null,
    p99: tally?.durations.quantile(0.99) ?? null,
  }
}

function allPins(
  steps: readonly (RequestTally | undefined)[],
  pending: ReadonlyMap<string, PendingPins>,
): PinsReport {
  const all = { pinned: 0, failed: 0, pending: 0, failing: 0 }
  for (const step of steps) {
    all.pinned += step?.pinned ?? 0
    all.failed += step?.pinsFailed ?? 0
  }
  for (const each of pending.values()) {
    all.pending += each.pending
    all.failing += each.failing
  }
  return all
}

function limitsOf(
  name: string,
  keyring: Snapshot['keyring'],
  remaining: Remaining,
): readonly LimitReport[] {
  const limits = keyring.encoder(name)?.limits
  if (limits === undefined) return []
  return budgets.map((budget) => {
    const { max, windowSeconds } = limits[budget]
    return { budget, used: max - Math.min(max, remaining(name, budget) ?? max), max, windowSeconds }
  })
}

function keysOf(fields: EncoderConfig | undefined, now: number) {
  const expiries = (fields?.keys ?? [])
    .map(({ expires }) => (expires === undefined ? Infinity : Date.parse(expires)))
    .filter((time) => time > now)
  const first = Math.min(...expiries)
  return { liveKeys: expiries.length, keyExpires: first === Infinity ? null : first }
}

function groupOf(
  { encoder, reason, last, latest }: ProblemGroup,
  sums: ReadonlyMap<string, RequestTally>,
  strangers: RequestTally,
  timeOf: TimeOf,
  requestsMax: number,
): RefusalGroup {
  const tally = encoder === undefined ? strangers : sums.get(encoder)
  return {
    encoder: encoder ?? null,
    reason,
    count: tally?.reasons.get(reason) ?? latest.length,
    last: timeOf(last),
    requests: latest.slice(0, requestsMax).map((problem) => problemOf(problem, timeOf)),
  }
}

function problemOf({ time, line }: ProblemRequest, timeOf: TimeOf): ProblemReport {
  const { id, encoder = null, client, method, path, status, outcome, reason } = line
  return {
    time: timeOf(time),
    id,
    encoder,
    client,
    method,
    path,
    status,
    outcome,
    reason: reason ?? outcome,
  }
}
