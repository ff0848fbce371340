/**
 * Changes a pin within the rules of ownership: it keeps what others hold, or refuses with 403 or
 * 409.
 */
import type { Answer } from '../../cluster/answer-handler.js'
import { Whole } from '../../cluster/whole.js'
import { encodeQuery, type Parameter } from '../../cluster/query.js'
import type { Decision } from '../../leases/decide.js'
import { wholeSeconds } from '../../leases/lease.js'
import { readPinRecord } from '../../leases/pin-record.js'
import type { Holdings } from '../../ledger/holdings.js'
import type { Ledger } from '../../ledger/ledger.js'
import { type OpenPin, outcomeOf, outcomeOfFault, type Wanted } from '../../ledger/open-pin.js'
import { mayUnpinAny } from '../../settings/values/permissions.js'
import { LedgerFault } from '../../ledger/storage/ledger-storage.js'
import { decidedMs } from '../../ledger/storage/recent-places.js'
import type { PinTracker } from '../../tracking/tracker.js'
import { errorBody } from '../../http/error-body.js'
import type { Answering, Handler, Handling } from '../handler.js'
import { isFaultOfChange } from '../fault.js'
import type { Outage } from '../outage/outage.js'
import { unshownPin } from '../outage/queued-pin.js'
import type { OnAnswer, PathPlan, PinPlan, UnpinPlan, UpstreamCall } from '../plan.js'
import type { Clock } from '../../time/clock.js'
import { Deadline } from '../../time/deadline.js'
import {
  callOf,
  decideToPin,
  decideToUnpin,
  isHeldBy,
  leaseEnd,
  withinRetention,
} from '../ownership/lease-decision.js'
import { type Quota, refuseExcess, type Reservation } from '../ownership/quota.js'

/**
 * Reads the holders of the pin, and returns a request to the cluster that changes nothing for the
 * others. Makes one change of a pin at a time.
 */
export type ChangePin = Handler<PinPlan | UnpinPlan, UpstreamCall | 'answered'>

export interface Holders {
  readonly ledger: Pick<
    Ledger,
    'isFinished' | 'isWritable' | 'look' | 'open' | 'pinnedByPath' | 'unpinnedByPath'
  >
  readonly holdings: Pick<Holdings, 'doubt' | 'soon'>
  readonly quota: Pick<Quota, 'accepted' | 'reserve'>
  readonly tracker: Pick<PinTracker, 'accepted' | 'released'>
  readonly outage: Pick<Outage, 'answerQueued' | 'fail' | 'isBehind'>
  readonly clock: Pick<Clock, 'monotonic' | 'now'>
}

export function createChangePin(holders: Holders): ChangePin {
  const { outage } = holders
  return async (handling, plan) => {
    const { request, answering } = handling
    if (outage.isBehind(plan, request.encoder)) {
      await outage.answerQueued(request, answering)
      return 'answered'
    }
    try {
      return await hold(holders, { ...handling, plan })
    } catch (error) {
      if (!isFaultOfChange(error)) throw error
      if (!request.isClosed) await outage.fail(request, answering, error)
      return 'answered'
    }
  }
}

const nothingReserved: Reservation = { excess: undefined, place: undefined }

interface Change extends Handling {
  readonly plan: PinPlan | UnpinPlan
}

/** The lock of the pin lasts until the cluster has answered, or until no request is needed. */
async function hold(holders: Holders, change: Change): Promise<UpstreamCall | 'answered'> {
  const { ledger, clock } = holders
  const { request, plan, headers } = change
  // A pin is a promise; an unpin may use the reserved space on disk.
  if (plan.kind === 'pin' && !ledger.isWritable) throw new LedgerFault('the ledger is not writable')
  const deadline = new Deadline(request.snapshot.config.cluster.writeTimeoutMs, clock.monotonic)
  const pin = await ledger.open(plan.cid, deadline, headers)
  let call: UpstreamCall | 'answered' = 'answered'
  try {
    if (!request.isClosed) call = await prepare(holders, change, pin, deadline)
    return call
  } finally {
    if (call === 'answered') pin.release()
  }
}

async function prepare(
  { ledger, holdings, quota, tracker, clock }: Holders,
  { request, plan, headers, answering }: Change,
  pin: OpenPin,
  deadline: Deadline,
): Promise<UpstreamCall | 'answered'> {
  const { encoder } = request
  const { cid } = plan
  const deciding = { ledger, encoder, headers, deadline }
  const decision =
    plan.kind === 'pin'
      ? await decideToPin(deciding, pin, plan)
      : await decideToUnpin(deciding, pin, request)
  const call = callOf(decision, cid)
  if (call === undefined) {
    if (plan.kind === 'unpin') await pin.releaseUnseen(encoder.leaseId)
    if (!request.isClosed) answerOf(answering, decision)
    return 'answered'
  }
  const { excess, place } =
    plan.kind === 'pin' ? await quota.reserve(encoder, plan, pin.record) : nothingReserved
  if (refuseExcess(request, answering, excess)) return 'answered'
  const wanted = wantedOf(decision)
  try {
    await pin.begin(wanted)
  } catch (error) {
    place?.free()
    throw error
  }
  if (request.isClosed) {
    place?.free()
    return 'answered'
  }
  let isUnknown = false
  const free = (): void => {
    if (!isUnknown) place?.free()
  }
  const onAnswer: OnAnswer = (error, answer) => {
    const outcome =
      error === null
        ? outcomeOf(call.method, answer.statusCode, textIn(answer))
        : outcomeOfFault(error)
    const isKnown = outcome.kind === 'written' || outcome.kind === 'unpinned'
    const told = isKnown && plan.kind === 'unpin' ? pin.releaseUnseen(encoder.leaseId) : undefined
    const kept = pin.settle(wanted, outcome)
    const instead = error === null ? insteadOf(answer, decision, pin) : undefined
    const isDone = error === null && (instead ?? answer).statusCode === 200
    isUnknown = outcome.kind === 'unknown'
    if (isUnknown && place !== undefined) holdings.doubt(cid, encoder.leaseId, place)
    if (isDone && plan.kind === 'pin' && !isHeldBy(pin.record, encoder))
      quota.accepted(encoder, cid)
    free()
    if (isDone && plan.kind === 'pin') {
      const endMs = leaseEnd(wanted === 'unpin' ? undefined : wanted, encoder)
      tracker.accepted(cid, encoder.name, endMs - clock.now())
    }
    if (isDone && plan.kind === 'unpin') tracker.released(cid, encoder.name)
    if (told === undefined && kept === undefined && instead === undefined) return undefined
    return Promise.all([told, kept]).then(() => instead)
  }
  // For a request that ends before an answer.
  request.onEnd(pin.release)
  request.onEnd(free)
  return { ...call, timeoutMs: deadline.leftMs, onAnswer }
}

/** Undefined: the pin stays unchanged. */
function wantedOf(decision: Decision): Wanted {
  if (decision.kind === 'write') return decision.record
  return decision.kind === 'unpin' ? 'unpin' : undefined
}

/**
 * The cluster answers 404 to the DELETE of a pin that it does not show yet (CRDT batching) or has
 * lost. The caller held the pin, and its release is in the ledger, which removes what appears
 * later.
 */
function insteadOf(
  { statusCode, headers }: Answer,
  decision: Decision,
  { cid, record }: OpenPin,
): Answer | undefined {
  const since = decision.kind === 'unpin' ? decision.last.map(({ sinceMs }) => sinceMs) : []
  if (statusCode !== 404 || record === undefined || since.length === 0) return undefined
  const { options, expiresMs: untilMs } = record
  const text = unshownPin({ cid, options, untilMs, atMs: Math.max(...since) })
  return { statusCode: 200, headers, body: new Whole(Buffer.from(text)) }
}

const textIn = ({ body }: Answer): string | undefined =>
  body instanceof Whole ? body.text : undefined

function answerOf(answering: Answering, decision: Decision): void {
  if (decision.kind === 'refuse') answering.refuse(decision.reason)
  // The cluster's own words.
  else answering.send(404, errorBody(404, 'pin is not part of the pinset'))
}

/**
 * The gate learns which pin a path leads to only after the change, so it allows only encoders that
 * may change any pin. The ledger learns of the pin from the cluster's answer.
 */
export function changeByPath(
  { ledger, holdings, clock }: Pick<Holders, 'clock' | 'holdings' | 'ledger'>,
  { request, answering }: Handling,
  { method, path, options, untilMs }: PathPlan,
): UpstreamCall | 'answered' {
  const { encoder } = request
  const { enforcement } = encoder
  if (!mayUnpinAny(encoder) && enforcement !== 'off') {
    if (enforcement === 'enforce') {
      answering.refuse('not-owner', 'forbidden: a path may lead to what others hold')
      return 'answered'
    }
    request.wouldRefuse = 'not-owner'
  }
  const endMs = method === 'POST' ? withinRetention(untilMs, encoder, clock.now()) : Infinity
  const expiry: readonly Parameter[] =
    endMs === Infinity ? [] : [['expire-at', wholeSeconds(endMs)]]
  const onAnswer: OnAnswer = (error, answer) => {
    const text = error === null ? textIn(answer) : undefined
    const { kind } =
      error === null ? outcomeOf(method, answer.statusCode, text) : outcomeOfFault(error)
    // What it overwrote is found only by a comparison with all pins, once it has landed.
    if (kind === 'unknown') holdings.soon(decidedMs)
    if (text === undefined || (error === null && answer.statusCode !== 200)) return undefined
    const { cid } = readPinRecord(text)
    return method === 'DELETE'
      ? ledger.unpinnedByPath(cid).then(() => undefined)
      : ledger.pinnedByPath(cid, encoder.leaseId).then(() => undefined)
  }
  return { method, path, query: encodeQuery([...options, ...expiry]), onAnswer }
}
