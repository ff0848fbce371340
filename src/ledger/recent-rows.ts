/**
 * This gate's writes of the last minutes, laid over the cluster's answers: with CRDT batching a
 * write shows only once its batch is committed, and later at other peers.
 */
import { AgingMap } from '../collections/aging-map.js'
import { isUnheld } from '../leases/decide.js'
import { isNoLater, isSameVersion, type Lease, tokensOf, tokenText } from '../leases/lease.js'
import type { PinRecord } from '../leases/pin-record.js'
import {
  heardSeq,
  mergeRow,
  type Merging,
  ofOneHolder,
  owedBy,
  owedByChange,
  ownSeq,
  wasReleased,
} from './merge.js'
import type { RecordNow } from './records.js'
import { type LedgerRow, withReleased } from './row.js'

/** Reads lag by no more than this. */
const lagMs = 300_000

/** Beyond this number the oldest are forgotten. */
const keptMin = 5000

export interface Recent {
  readonly row: LedgerRow
  /**
   * When the cluster wrote the record, by its own clock; for a removed record, a time before that.
   */
  readonly writtenMs: number
}

export interface Seen {
  readonly record: PinRecord | undefined
  /** This gate wrote it recently, but the cluster does not have it. */
  readonly isMissing: boolean
  /** What wrote the record later, and dropped leases of it: only a hand writes none. */
  readonly foreign: 'hand' | 'gate' | undefined
}

export class RecentRows {
  /** As text, a fifth of the row's memory: each one lives long enough to reach V8's old objects. */
  private rows = new AgingMap<{ readonly text: string; readonly atMs: number }>(keptMin)

  /** @param now a monotonic clock, in milliseconds */
  constructor(private readonly now: () => number) {}

  /** They were of another cluster. */
  clear(): void {
    this.rows = new AgingMap(keptMin)
  }

  wrote(row: LedgerRow, writtenMs: number): void {
    const whole = withReleased(row, this.of(row.cid)?.row.released ?? [])
    this.rows.set(row.cid, { text: JSON.stringify({ row: whole, writtenMs }), atMs: this.now() })
  }

  /** Another gate released leases of it. */
  change(cid: string, change: (row: LedgerRow) => LedgerRow): void {
    const kept = this.rows.get(cid)
    if (kept === undefined) return
    const recent = readRecent(kept.text)
    this.rows.set(cid, { ...kept, text: JSON.stringify({ ...recent, row: change(recent.row) }) })
  }

  /** CIDs that were written within this many milliseconds. */
  within(ms: number): readonly string[] {
    const sinceMs = this.now() - ms
    return [...this.rows.entries()].flatMap(([cid, { atMs }]) => (atMs > sinceMs ? [cid] : []))
  }

  of(cid: string): Recent | undefined {
    const kept = this.rows.get(cid)
    const isRecent = kept !== undefined && kept.atMs > this.now() - lagMs
    return isRecent ? readRecent(kept.text) : undefined
  }

  /** Corrects a record that was just read, of a CID that is not in doubt. */
  over(cid: string, { read, nowMs }: RecordNow, merging: Merging): Seen {
    const recent = this.of(cid)
    if (recent === undefined) return { record: read, isMissing: false, foreign: undefined }
    const { row, writtenMs } = recent
    const owed = owedByChange(row, read)
    const { record, differs } = mergeRow(owed, read, { ...merging, owes: 'all' }, nowMs)
    // The cluster's times are in whole seconds when read back.
    const isLater = read !== undefined && secondsOf(read.writtenMs) > secondsOf(writtenMs)
    if (isLater && differs === 'missing') {
      // A hand takes no holder's lease, but another gate may have released it.
      if (isUnheld(read)) return { record, isMissing: false, foreign: 'hand' }
      // Gates that share a store hear of each release: without it, a lease was overwritten.
      const left = merging.owes === 'own' ? mergeRow(owed, read, merging, nowMs).record : read
      return { record: left, isMissing: false, foreign: 'gate' }
    }
    return { record, isMissing: read === undefined && record !== undefined, foreign: undefined }
  }
}

const secondsOf = (ms: number): number => Math.floor(ms / 1000)

/** How gates that share a store exchange their last write of a pin. */
export const recentText = (recent: Recent): string =>
  JSON.stringify({ row: recent.row, writtenMs: recent.writtenMs }, (_key, value: unknown) =>
    value === Infinity ? never : value,
  )

/**
 * A part of that text which the text of each later change has, as its gate has heard of this one:
 * the token of this gate's lease, or of the lease that it released.
 */
export function markOf({ row }: Recent, gateId: string): string | undefined {
  const own = row.leases.flatMap(({ token }) => ownSeq(token, gateId) ?? [])
  const [newest, released] = [Math.max(-1, ...own), row.released.at(-1)]
  if (released !== undefined && released.seq > newest) return `"token":"${released.token}","seq"`
  return newest < 0 ? undefined : `${tokenText({ gateId, seq: newest })}"`
}

/** @param text of {@link recentText}, or plain JSON, which has null for Infinity */
export function readRecent(text: string): Recent {
  const { row, writtenMs } = JSON.parse(text) as { row: LedgerRow; writtenMs: number | null }
  // Not with a reviver, as that takes several times as long.
  const leases = row.leases.map(withEnd)
  const former = row.former.map(withEnd)
  const whole = { ...row, leases, former, expiresMs: endOf(row.expiresMs) }
  // The time of a pin that was not there.
  return { row: whole, writtenMs: writtenMs ?? -Infinity }
}

const never = 'never'

/** @param ms a number, or what stands for Infinity in JSON */
const endOf = (ms: unknown): number => (typeof ms === 'number' ? ms : Infinity)
const withEnd = (lease: Lease): Lease => ({ ...lease, untilMs: endOf(lease.untilMs) })

/**
 * The row after another gate's write, which was stored with the lock. This gate wrote nothing: the
 * row keeps its place, as a walk may still have to look at it, and its report, which only an
 * operator or a change at this gate ends.
 */
export function rowOfBoth(
  other: LedgerRow,
  own: LedgerRow | undefined,
  merging: Merging,
): LedgerRow {
  // Numbers give an order only within one gate.
  const released = other.released.map(({ holder, token }) => {
    const gone = { holder, token }
    const known = own?.released.find((each) => isSameVersion(each, gone))
    return known ?? { ...gone, seq: heardSeq(own?.leases ?? [], gone, merging.gateId) }
  })
  const leases = leasesOfBoth(other, own, merging)
  return { ...other, leases, released, seq: own?.seq ?? 0, report: own?.report }
}

/**
 * If two gates wrote at the same time, neither knew of the other's leases: what this gate wrote and
 * did not release is still owed. Of a third gate's leases the other gate, which wrote last, knows
 * more; this one may not have heard yet that they were released.
 */
function leasesOfBoth(
  other: LedgerRow,
  own: LedgerRow | undefined,
  merging: Merging,
): readonly Lease[] {
  if (own === undefined) return other.leases
  const isGone = (lease: Lease): boolean => {
    const ended = other.released.filter(({ holder }) => holder === lease.holder)
    if (ended.some(({ token }) => token === lease.token)) return true
    return tokensOf(lease).every((text) => ended.some(({ token }) => isNoLater(text, token)))
  }
  const [theirs, ours] = [
    // The other gate may have seen a late write of this one, whose token no release names.
    other.leases.filter((lease) => !wasReleased(own, lease, merging.gateId)),
    owedBy(own, merging).filter((lease) => !isGone(lease)),
  ]
  const of = (leases: readonly Lease[], { holder }: Lease): Lease | undefined =>
    leases.find((lease) => lease.holder === holder)
  return [
    ...theirs.map((lease) => ofOneHolder(of(ours, lease), lease, merging)),
    ...ours.filter((lease) => of(theirs, lease) === undefined),
  ]
}
