/**
 * Computes what the cluster's record of a CID should be, from the ledger's row and the record.
 * Leases are compared by their tokens alone. No I/O here.
 */
import { isSoftDeleted, liveLeases } from '../leases/decide.js'
import {
  isNoLater,
  isSameVersion,
  type Lease,
  latestEnd,
  operator,
  readToken,
  replacedBy,
  tokenText,
  tokensOf,
} from '../leases/lease.js'
import type { NewRecord, PinRecord } from '../leases/pin-record.js'
import type { ReleasedElsewhere } from './news.js'
import { type LedgerRow, type Released, withReleased } from './row.js'
import { isBefore, releasedByThen, takeDownOf } from './take-down.js'

export interface Merged {
  /** Undefined: the CID should not be pinned. */
  readonly record: PinRecord | undefined
  /**
   * How the record differs: `missing`, it lacks something owed; `unexpected`, it only has something
   * more that was released. Undefined: it agrees.
   */
  readonly differs: 'missing' | 'unexpected' | undefined
  /** The pin was taken down: it has to go, however much of it came back. */
  readonly isTakenDown?: boolean
}

/**
 * Which leases a row owes: those of all gates, or only this gate's own. With several gates, each
 * looks after its own leases, since it is the one that learns of their release.
 */
export type Owes = 'all' | 'own'

export interface Merging {
  /** The gate of the row's ledger. */
  readonly gateId: string
  readonly owes: Owes
  /**
   * For a lease that joins two of its holder, of different gates, of which it is unknown which is
   * later; absent: the longer one counts. It may have been released, which its gate alone knows.
   */
  readonly newToken?: string | undefined
}

/** What a row owes. */
export const owedBy = ({ leases }: LedgerRow, { gateId, owes }: Merging): readonly Lease[] =>
  owes === 'all' ? leases : leases.filter(({ token }) => ownSeq(token, gateId) !== undefined)

/** Whether a row owes a lease to an encoder: what a hand pinned, a hand may also unpin. */
export const owesEncoder = (row: LedgerRow, merging: Merging, now: number): boolean =>
  owedBy(row, merging).some(({ holder, untilMs }) => holder !== operator && untilMs > now)

/**
 * What a change owes of a row: a hand that unpins ends what a hand pinned, so the operator's hold
 * is not owed while the cluster does not have the CID. Only a repair restores it.
 */
export const owedByChange = (row: LedgerRow, read: PinRecord | undefined): LedgerRow =>
  read === undefined
    ? { ...row, leases: row.leases.filter(({ holder }) => holder !== operator) }
    : row

/** @param read undefined: the cluster does not have the CID */
export function mergeRow(
  row: LedgerRow,
  read: PinRecord | undefined,
  merging: Merging,
  now: number,
): Merged {
  const { gateId } = merging
  const isOurs = read === undefined || read.type === 'pin'
  if (row.report !== undefined || !isOurs) return { record: read, differs: undefined }
  const isTakenDown = read !== undefined && wasTakenDown(row, read, gateId)
  const owed = owedBy(row, merging).filter(
    (own) => own.untilMs > now && !isOutdated(own, read?.leases ?? []),
  )
  const seen = read === undefined || isSoftDeleted(read) ? [] : liveLeases(read, now)
  const there = seen.filter((lease) =>
    isTakenDown && !isSinceTakeDown(row, lease, gateId)
      ? isOwed(row, lease)
      : !wasReleased(row, lease, gateId) && !isOutlived(row, lease, now),
  )
  const leases = [
    ...there.map((lease) => ofOneHolder(ownOf(owed, lease), lease, merging)),
    ...owed.filter((own) => ownOf(there, own) === undefined),
  ]
  if (leases.length === 0 && isTakenDown && !isPinnedSince(row, read, gateId))
    return { record: undefined, differs: 'unexpected', isTakenDown }
  if (leases.length === 0) return withoutLeases(row, read, seen, now)
  const isMissing =
    read === undefined ||
    read.expiresMs < latestEnd(leases) ||
    leases.some((lease) => !seen.some((other) => isSame(lease, other)))
  if (!isMissing && there.length === seen.length) return { record: read, differs: undefined }
  // The holders' own options apply until there is another holder; then the record stays as it is.
  const isAlone = there.every((lease) => ownOf(owed, lease) !== undefined)
  const { isDirect, options } = read === undefined || isAlone ? row : read
  const whole = { cid: row.cid, isDirect, options, leases, expiresMs: latestEnd(leases) }
  const differs = isMissing ? 'missing' : 'unexpected'
  return { record: asRead(whole, read), differs, isTakenDown }
}

/** The pin has no holder: it may still be kept for its retention period. */
function withoutLeases(
  row: LedgerRow,
  read: PinRecord | undefined,
  seen: readonly Lease[],
  now: number,
): Merged {
  if (read === undefined || seen.length === 0) return { record: read, differs: undefined }
  const { cid, isDirect, options, former, expiresMs } = row
  const isKept = former.length > 0 && expiresMs > now
  const kept = { cid, isDirect, options, leases: [], former, expiresMs }
  return { record: isKept ? asRead(kept, read) : undefined, differs: 'unexpected' }
}

/** A record as the cluster would return it after the write. */
const asRead = (record: NewRecord, read: PinRecord | undefined): PinRecord => ({
  ...record,
  type: 'pin',
  former: record.former ?? [],
  writtenMs: read?.writtenMs ?? -Infinity,
})

/** Decides which of two leases of one holder is later: the ledger's, or the record's. */
export function ofOneHolder(
  own: Lease | undefined,
  read: Lease,
  { gateId, newToken }: Merging,
): Lease {
  if (own === undefined) return read
  if (own.token !== undefined && own.token === read.token) return own
  const [isOwnLater, isReadLater] = [isBehind(read, own), isBehind(own, read)]
  if (isOwnLater !== isReadLater) return isOwnLater ? own : read
  const areOfGates = own.token !== undefined && read.token !== undefined && !isOf(read, gateId)
  const areLive = own.untilMs > read.sinceMs
  if (areOfGates && areLive && newToken !== undefined) return joined(own, read, newToken, gateId)
  // It is unknown which is later, so no lease becomes shorter. A lease that began after the other
  // had ended is not dropped in favour of it, as its gate may have released the other.
  if (own.sinceMs <= read.sinceMs) return own.untilMs > read.untilMs ? own : read
  return { ...own, untilMs: Math.max(own.untilMs, read.untilMs) }
}

/** The new lease also names its part that a change here made; the number 0 stands for none. */
function joined(own: Lease, read: Lease, token: string, gateId: string): Lease {
  const part = tokensOf(own).findLast((text) => ownSeq(text, gateId) !== undefined)
  const others = replacedBy(token, [...tokensOf(read), ...tokensOf(own)])
  const replaces = [...others, part ?? tokenText({ gateId, seq: 0 })]
  return {
    holder: own.holder,
    sinceMs: Math.min(own.sinceMs, read.sinceMs),
    untilMs: Math.max(own.untilMs, read.untilMs),
    ...{ token, replaces },
  }
}

/** Whether this gate joined a lease: it also names the part that a change here made. */
export const isJoined = ({ token, replaces = [] }: Lease, gateId: string): boolean =>
  [token, ...replaces].filter((text) => ownSeq(text, gateId) !== undefined).length > 1

/** The number of the change that made a lease at this gate; undefined: another gate made it. */
export function changeSeqOf(lease: Lease, gateId: string): number | undefined {
  const own = tokensOf(lease).findLast((text) => ownSeq(text, gateId) !== undefined)
  return isOf(lease, gateId) ? ownSeq(own, gateId) : undefined
}

/**
 * The number with which a release at another gate is kept here: that of the change whose lease it
 * ended, as queued pins may come after that. 0: of another gate.
 */
export function heardSeq(
  leases: readonly Lease[],
  gone: Pick<Released, 'holder' | 'token'>,
  gateId: string,
): number {
  const own = leases.find((lease) => isSameVersion(lease, gone))
  return (own && changeSeqOf(own, gateId)) ?? ownSeq(gone.token, gateId) ?? 0
}

const isOf = ({ token }: Lease, gateId: string): boolean => ownSeq(token, gateId) !== undefined

/**
 * Whether a lease precedes another one of its holder: by the numbers of its gate, which wrote the
 * other one, or one that the other replaced.
 */
function isBehind({ token = '' }: Lease, other: Lease): boolean {
  const version = readToken(token)
  return tokensOf(other).some(
    (text) => version !== undefined && (ownSeq(text, version.gateId) ?? -1) >= version.seq,
  )
}

/** Whether a later lease of the same holder has ended. */
function isOutlived({ leases }: LedgerRow, read: Lease, now: number): boolean {
  const own = ownOf(leases, read)
  return own !== undefined && own.untilMs <= now && isBehind(read, own) && !isBehind(own, read)
}

/** Whether the record has a later lease of the same holder, even an expired one. */
function isOutdated(own: Lease, read: readonly Lease[]): boolean {
  const lease = ownOf(read, own)
  return lease !== undefined && isBehind(own, lease) && !isBehind(lease, own)
}

/**
 * Whether the holder has released a lease: by its token, or because it is this gate's, older than
 * the row, and not in it. A lease that came back from outside the gate, and that a change has kept
 * since, is owed again. The operator's may be missing because of {@link owedByChange}.
 */
export function wasReleased(row: LedgerRow, lease: Lease, gateId: string): boolean {
  if (isOwed(row, lease)) return false
  // A gate that had not heard of a take-down may have written the operator's hold again.
  if (lease.token === undefined)
    return lease.holder === operator && lease.sinceMs <= (takeDownOf(row)?.atMs ?? -Infinity)
  const seq = ownSeq(lease.token, gateId)
  const own = ownOf(row.leases, lease)
  const isNewer = own === undefined || (ownSeq(own.token, gateId) ?? -1) > (seq ?? Infinity)
  if (seq !== undefined && seq < row.seq && isNewer && lease.holder !== operator) return true
  return row.released.some((gone) => isEndedBy(gone, lease, gateId))
}

/**
 * Whether a release ends a lease: by its token, or because its gate made it before; of this gate's
 * own, those before the release.
 */
function isEndedBy(gone: Released, { holder, token }: Ended, gateId: string): boolean {
  if (gone.holder !== holder) return false
  return isNoLater(token, gone.token) || (ownSeq(token, gateId) ?? Infinity) < gone.seq
}

type Ended = Pick<Lease, 'holder' | 'token'>

/**
 * A row after a release at another gate. A queued pin may keep its old number, though it replaced a
 * later lease of another gate.
 */
export function withoutEnded(
  row: LedgerRow,
  { upTo, ...gone }: Released & Pick<ReleasedElsewhere, 'upTo'>,
  gateId: string,
): LedgerRow {
  const isKnown = (token: string): boolean => upTo?.some((last) => isNoLater(token, last)) === true
  const isEnded = (lease: Lease): boolean =>
    isEndedBy(gone, lease, gateId) &&
    ((upTo === undefined && lease.token === gone.token) || lease.replaces?.every(isKnown) !== false)
  const leases = row.leases.filter((lease) => !isEnded(lease))
  return withReleased({ ...row, leases, released: [gone] }, row.released)
}

/**
 * Whether a record precedes a take-down: by its time, or because all of its tokens do. So a late
 * write cannot bring back leases without tokens either.
 */
function wasTakenDown(row: LedgerRow, read: PinRecord, gateId: string): boolean {
  const down = takeDownOf(row)
  if (down === undefined) return false
  const tokened = [...read.leases, ...read.former].filter(({ token }) => token !== undefined)
  const gone = releasedByThen(row)
  const isOlder = (lease: Lease): boolean => {
    const seq = ownSeq(lease.token, gateId)
    if (seq !== undefined && seq < (gone.at(-1)?.seq ?? 0)) return true
    return isBefore(down, lease) ?? gone.some(({ token }) => isNoLater(lease.token, token))
  }
  return read.writtenMs <= down.untilMs || (tokened.length > 0 && tokened.every(isOlder))
}

/**
 * Whether an encoder pinned it again after the take-down: then it is back for another reason, such
 * as a backup, and the bounds of repairs apply.
 */
const isPinnedSince = (row: LedgerRow, { leases, former }: PinRecord, gateId: string): boolean =>
  [...leases, ...former].some((lease) => isSinceTakeDown(row, lease, gateId))

/** Its token is newer than the take-down, whatever the time of the record says. */
function isSinceTakeDown(row: LedgerRow, lease: Lease, gateId: string): boolean {
  const down = takeDownOf(row)
  if (down !== undefined && isBefore(down, lease) === false) return true
  return (ownSeq(lease.token, gateId) ?? -1) > (releasedByThen(row).at(-1)?.seq ?? Infinity)
}

const isOwed = ({ leases }: LedgerRow, lease: Lease): boolean =>
  leases.some((own) => isSameVersion(own, lease))

const ownOf = (leases: readonly Lease[], { holder }: Lease): Lease | undefined =>
  leases.find((lease) => lease.holder === holder)

const isSame = (one: Lease, other: Lease): boolean =>
  isSameVersion(one, other) && one.untilMs === other.untilMs

/** Undefined: the lease does not belong to this ledger. */
export function ownSeq(token: string | undefined, gateId: string): number | undefined {
  const read = token === undefined ? undefined : readToken(token)
  return read?.gateId === gateId ? read.seq : undefined
}
