/** Between authorize and forward: whose pin is it? What a change leaves to the others: 403, 409. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ClusterFault } from '../cluster/faults.js'
import {
  type Caller,
  decidePin,
  type Decision,
  decideUnpin,
  isLetGo,
  letGo,
  type PinWish,
  unenforced,
  write,
} from '../leases/decide.js'
import type { Ledger, Settle } from '../leases/ledger.js'
import type { PinRecord } from '../leases/pin-record.js'
import type { Encoder } from '../settings/encoder.js'
import { answer, refuse } from './answer.js'
import { answerFault } from './fault.js'
import type { Change, UpstreamRequest } from './pin-request.js'
import type { Quota } from './quota.js'
import type { RequestRecord } from './record.js'
import { recordOf } from './request.js'

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

export function createHoldPin(ledger: Ledger, quota: Quota): HoldPin {
  return (request, reply, change, headers, send) => {
    hold(ledger, quota, request, reply, change, headers, send).catch((error: unknown) => {
      if (recordOf(request).isClosed) reply.hijack()
      else if (error instanceof ClusterFault) answerFault(reply, error)
      else reply.send(error)
    })
  }
}

async function hold(
  ledger: Ledger,
  quota: Quota,
  request: FastifyRequest,
  reply: FastifyReply,
  change: Change,
  headers: Headers,
  send: () => void,
): Promise<void> {
  const record = recordOf(request)
  const encoder = encoderOf(record)
  if (change.kind === 'path') {
    if (!isPathRefused(reply, record, encoder)) send()
    return
  }
  const { writeTimeoutMs } = record.snapshot.config.cluster
  const cid = request.upstream?.cid ?? ''
  const startMs = performance.now()
  const pin = await ledger.open(cid, headers, writeTimeoutMs)
  const leftMs = writeTimeoutMs - (performance.now() - startMs)
  let isSent = false
  try {
    // Nothing was changed yet, and nobody is there to be told.
    if (record.isClosed) {
      reply.hijack()
      return
    }
    const decision =
      change.kind === 'pin'
        ? await decideToPin(ledger, pin.record, encoder, { cid, ...change }, headers, leftMs)
        : await decideToUnpin(ledger, pin.record, encoder, record, headers, leftMs)
    const upstream = upstreamOf(decision, cid)
    if (upstream === undefined) {
      answerOf(reply, record, decision)
      return
    }
    const isNew = change.kind === 'pin' && !isHeldBy(pin.record, encoder)
    if (isNew && (await isOver(quota, reply, record, encoder))) return
    const release = isNew ? quota.reserve(encoder) : () => undefined
    record.onEnd(release)
    const onAnswer: Settle = (method, error, answer) => {
      pin.settle(method, error, answer)
      if (isNew && answer?.statusCode === 200) quota.accepted(encoder)
      release()
    }
    request.upstream = { ...upstream, timeoutMs: leftMs, onAnswer }
    isSent = true
    // Should it not get as far as an answer.
    record.onEnd(pin.release)
  } finally {
    if (!isSent) pin.release()
  }
  send()
}

async function decideToPin(
  ledger: Ledger,
  pin: PinRecord | undefined,
  encoder: Encoder,
  wish: PinWish,
  headers: Headers,
  timeoutMs: number,
): Promise<Decision> {
  const now = Date.now()
  const updated = await updating(ledger, wish, headers, timeoutMs)
  if (updated === undefined) return { kind: 'unknown' }
  const untilMs = Math.min(updated.untilMs, Math.ceil((now + encoder.retentionMs) / 1000) * 1000)
  return decidePin(pin, callerOf(encoder), { ...updated, untilMs }, now)
}

/**
 * `pin-update` copies another record, leases and all; so the copy is made here, without them. It
 * takes a name and an expiry of its own, as with the cluster. Undefined: there is no such record.
 */
async function updating(
  ledger: Ledger,
  wish: PinWish,
  headers: Headers,
  timeoutMs: number,
): Promise<PinWish | undefined> {
  const { cid, options, untilMs } = wish
  const source = options.find(([name]) => name === 'pin-update')?.[1]
  if (source === undefined || source === cid) return wish
  const record = await ledger.look(source, headers, timeoutMs)
  if (record === undefined || isLetGo(record)) return undefined
  const name = options.find(([option]) => option === 'name')
  const copied = record.options.filter(([option]) => name === undefined || option !== 'name')
  return {
    cid,
    options: [...(name === undefined ? [] : [name]), ...copied],
    untilMs: untilMs === Infinity ? record.expiresMs : untilMs,
  }
}

async function decideToUnpin(
  ledger: Ledger,
  pin: PinRecord | undefined,
  encoder: Encoder,
  record: RequestRecord,
  headers: Headers,
  timeoutMs: number,
): Promise<Decision> {
  const decision = unpinning(pin, encoder, record)
  const graceMs = record.snapshot.config.unpin.graceSeconds * 1000
  if (decision.kind !== 'unpin' || pin === undefined || graceMs === 0) return decision
  // What is not finished would be queued again by a POST.
  if (!(await ledger.isFinished(pin.cid, headers, timeoutMs))) return decision
  const kept = letGo(pin, decision.last, Date.now() + graceMs)
  return write(kept) ?? decision
}

function unpinning(pin: PinRecord | undefined, encoder: Encoder, record: RequestRecord): Decision {
  const now = Date.now()
  const { enforcement } = encoder
  const decision = decideUnpin(pin, callerOf(encoder), now)
  if (decision.kind !== 'refuse' || enforcement === 'enforce' || pin === undefined) return decision
  if (enforcement === 'observe') record.wouldRefuse = decision.reason
  return unenforced(pin, now)
}

/** Undefined: the cluster is not asked. */
function upstreamOf(decision: Decision, cid: string): UpstreamRequest | undefined {
  switch (decision.kind) {
    case 'write':
      return { method: 'POST', cid, ...decision.request }
    case 'unpin':
      return { method: 'DELETE', cid, path: `/pins/${cid}`, query: '' }
    case 'keep':
      // The same answer as of an unpin: the pin as it was.
      return { method: 'GET', cid, path: `/allocations/${cid}`, query: '' }
    case 'unknown':
    case 'refuse':
      return undefined
  }
}

function answerOf(reply: FastifyReply, record: RequestRecord, decision: Decision): void {
  if (decision.kind === 'refuse') refuse(reply, record, decision.reason)
  // The cluster's own words.
  else answer(reply, 404, 'pin is not part of the pinset')
}

const isHeldBy = (pin: PinRecord | undefined, { leaseId }: Encoder): boolean =>
  pin?.leases.some(({ holder }) => holder === leaseId) === true

/** Refuses a lease beyond the quota, where that is enforced. */
async function isOver(
  quota: Quota,
  reply: FastifyReply,
  record: RequestRecord,
  encoder: Encoder,
): Promise<boolean> {
  const excess = encoder.enforcement === 'off' ? undefined : await quota.excess(encoder)
  if (excess === undefined) return false
  if (encoder.enforcement === 'observe') {
    record.wouldRefuse = excess.reason
    return false
  }
  if (excess.reason === 'too-many-unfinished') reply.header('retry-after', 10)
  refuse(reply, record, excess.reason, excess.message)
  return true
}

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

const callerOf = ({ leaseId, permissions }: Encoder): Caller => ({
  holder: leaseId,
  mayUnpinAny: permissions.has('unpin-any'),
})

function encoderOf({ encoder }: RequestRecord): Encoder {
  if (encoder === undefined) throw new Error('ownership before authenticate')
  return encoder
}
