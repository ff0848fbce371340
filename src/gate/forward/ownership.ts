/** Between authorize and forward: whose pin is it? What a change leaves to the others: 403, 409. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Decision } from '../../leases/decide.js'
import type { Ledger, OpenPin, Settle } from '../../leases/ledger.js'
import type { PinRecord } from '../../leases/pin-record.js'
import type { Follower } from '../../progress/follower.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import { answer, refuse } from '../answer.js'
import { isFaultOfChange } from '../fault.js'
import { decideToPin, decideToUnpin, upstreamOf } from './lease-decision.js'
import type { Outage } from '../outage/outage.js'
import type { Change } from '../authorize/pin-request.js'
import { type Quota, refuseExcess } from './quota.js'
import type { RequestRecord } from '../record/record.js'
import { recordOf } from '../request.js'

type Headers = Readonly<Record<string, string>>

/**
 * Reads who holds the pin, and puts the request into `request.upstream` that changes nothing for
 * the others; then sends it. One change of a pin at a time.
 */
export type HoldPin = (
  request: FastifyRequest,
  reply: FastifyReply,
  change: Change,
  headers: Headers,
  send: () => void,
) => void

export interface Holders {
  readonly ledger: Ledger
  readonly quota: Quota
  readonly follower: Follower
  readonly outage: Outage
}

export function createHoldPin({ ledger, quota, follower, outage }: Holders): HoldPin {
  return (request, reply, change, headers, send) => {
    const record = recordOf(request)
    if (change.kind === 'path') {
      if (!isPathRefused(reply, record, encoderOf(record))) send()
      return
    }
    if (outage.holds(record.cid ?? '')) {
      outage.answerHeld(reply)
      return
    }
    hold({ ledger, quota, follower, request, reply, record, change, headers }).then(
      (isHeld) => {
        if (isHeld) send()
        else if (record.isClosed) reply.hijack()
      },
      (error: unknown) => {
        if (record.isClosed) reply.hijack()
        else if (isFaultOfChange(error)) outage.answer(reply, error)
        else reply.send(error)
      },
    )
  }
}

interface Holding {
  readonly ledger: Ledger
  readonly quota: Quota
  readonly follower: Follower
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly record: RequestRecord
  readonly change: Exclude<Change, { kind: 'path' }>
  /** For the cluster. */
  readonly headers: Headers
}

/** False: it is answered, or nobody is there to be told, and nothing was changed. */
async function hold(holding: Holding): Promise<boolean> {
  const { ledger, request, record, headers } = holding
  const { writeTimeoutMs } = record.snapshot.config.cluster
  const startMs = performance.now()
  const pin = await ledger.open(request.upstream?.cid ?? '', headers, writeTimeoutMs)
  const leftMs = writeTimeoutMs - (performance.now() - startMs)
  let isHeld = false
  try {
    isHeld = !record.isClosed && (await prepare(holding, pin, leftMs))
    return isHeld
  } finally {
    if (!isHeld) pin.release()
  }
}

/** Puts what goes up into the request; false: nothing does. */
async function prepare(holding: Holding, pin: OpenPin, timeoutMs: number): Promise<boolean> {
  const { ledger, quota, follower, request, reply, record, change, headers } = holding
  const encoder = encoderOf(record)
  const cid = request.upstream?.cid ?? ''
  const deciding = { ledger, encoder, headers, timeoutMs }
  const decision =
    change.kind === 'pin'
      ? await decideToPin(deciding, pin.record, { cid, ...change })
      : await decideToUnpin(deciding, pin.record, record)
  const upstream = upstreamOf(decision, cid)
  if (upstream === undefined) {
    if (!record.isClosed) answerOf(reply, record, decision)
    return false
  }
  const isNew = change.kind === 'pin' && !isHeldBy(pin.record, encoder)
  if (isNew && encoder.enforcement !== 'off') {
    const excess = await quota.excess(encoder)
    if (refuseExcess(reply, record, encoder, excess)) return false
  }
  if (record.isClosed) return false
  const unreserve = isNew ? quota.reserve(encoder) : () => undefined
  const onAnswer: Settle = (method, error, answer) => {
    pin.settle(method, error, answer)
    const isDone = answer?.statusCode === 200
    if (isNew && isDone) quota.accepted(encoder)
    unreserve()
    if (isDone && change.kind === 'pin') follower.accepted(cid, encoder.name)
    if (isDone && change.kind === 'unpin') follower.released(cid, encoder.name)
  }
  request.upstream = { ...upstream, change, timeoutMs, onAnswer }
  // Should it not get as far as an answer.
  record.onEnd(pin.release)
  record.onEnd(unreserve)
  return true
}

function answerOf(reply: FastifyReply, record: RequestRecord, decision: Decision): void {
  if (decision.kind === 'refuse') refuse(reply, record, decision.reason)
  // The cluster's own words.
  else answer(reply, 404, 'pin is not part of the pinset')
}

export const isHeldBy = (pin: PinRecord | undefined, { leaseId }: Encoder): boolean =>
  pin?.leases.some(({ holder }) => holder === leaseId) === true

/** Which pin a path leads to is known only when it was replaced: so only who may do that, may. */
function isPathRefused(reply: FastifyReply, record: RequestRecord, encoder: Encoder): boolean {
  const { enforcement, permissions } = encoder
  if (permissions.has('unpin-any') || enforcement === 'off') return false
  if (enforcement === 'observe') {
    record.wouldRefuse = 'not-owner'
    return false
  }
  refuse(reply, record, 'not-owner', 'forbidden: a path may lead to what others hold')
  return true
}

function encoderOf({ encoder }: RequestRecord): Encoder {
  if (encoder === undefined) throw new Error('ownership before authenticate')
  return encoder
}
