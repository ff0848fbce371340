/** Where pins are: one, some, all, and putting failed ones into the queue again. */
import { pinInfo, unpinnedInfo } from './answers.js'
import { type Call, type Cluster, type Handler, sendError, sendJson } from './cluster.js'
import { decodeCid } from './cids.js'
import { inMemory, maskOf, statusBit } from './filter.js'
import type { Json } from './json.js'
import { refused } from './peer.js'
import { pinOrFail } from './pin-of-call.js'
import type { Pin, Progress, Status } from './state.js'
import { sendStream, StreamError } from './stream.js'
import { nowNanos } from './times.js'

export const status: Handler = (call) => {
  const named = pinOrFail(call)
  if (named === undefined) return undefined
  return sendJson(call.reply, 200, infoOf(call.cluster, named.cid, isLocal(call)))
}

export const listStatus: Handler = (call) => {
  const { query, reply } = call
  if (query.get('cids') !== '') return someStatus(call)
  const filter = query.get('filter')
  const mask = maskOf(filter)
  if (filter !== '' && mask === 0) return sendError(reply, 400, 'invalid filter value')
  return sendStream(call, inMemory(mask) ? inFlight(call, mask) : listing(call, mask))
}

export const recover: Handler = (call) => {
  const named = pinOrFail(call)
  if (named === undefined) return undefined
  const { cluster, reply } = call
  const again = requeue(cluster, named.cid)
  if (again === undefined && isLocal(call) && !cluster.pins.has(named.cid)) {
    return sendError(reply, 404, 'pin is not part of the pinset')
  }
  return sendJson(reply, 200, again ?? infoOf(cluster, named.cid, isLocal(call)))
}

export const recoverAll: Handler = (call) => {
  const { cluster } = call
  if (cluster.kuboDown) return sendStream(call, [])
  const lines = [...cluster.pins.progress()].map(([cid]) => requeue(cluster, cid))
  return sendStream(
    call,
    lines.filter((line) => line !== undefined),
  )
}

/** Only this text counts. */
const isLocal = ({ query }: Call): boolean => query.get('local') === 'true'

function someStatus(call: Call): unknown {
  const { cluster, query, reply } = call
  let cids
  try {
    cids = query.get('cids').split(',').map(decodeCid)
  } catch (error) {
    return sendError(reply, 400, `error decoding Cid: ${(error as Error).message}`)
  }
  return sendStream(
    call,
    cids.map((cid) => infoOf(cluster, cid, isLocal(call))),
  )
}

function infoOf(cluster: Cluster, cid: string, local: boolean): Json {
  const pin = cluster.pins.get(cid)
  const progress = cluster.pins.progressOf(cid)
  if (pin !== undefined) {
    if (progress === undefined && cluster.kuboDown) {
      const error = refused(`pin/ls?stream=true&arg=${cid}&type=recursive`)
      const failed = entry('cluster_error', pin.timestamp, error)
      // Merging leaves out what a peer in this state says of the pin.
      if (!local) return unpinnedInfo(cluster.peer, cid, failed, true)
      return pinInfo(cluster.peer, pin, failed)
    }
    return pinInfo(cluster.peer, pin, progress ?? settled(pin))
  }
  // Pending unpins of Kubo are internal to the peer.
  const shown = (local ? progress : undefined) ?? entry('unpinned', nowNanos())
  return unpinnedInfo(cluster.peer, cid, shown, local)
}

const entry = (status: Status, timestamp: string, error = '', attempts = 0): Progress => ({
  status,
  error,
  timestamp,
  attempts,
})

const settled = (pin: Pin): Progress =>
  entry(pin.type === 'meta-pin' ? 'sharded' : 'pinned', pin.timestamp)

/** The whole pinset; with one peer `local` changes nothing but what a missing Kubo looks like. */
function* listing(call: Call, mask: number): Generator<Json> {
  const { cluster } = call
  if (cluster.kuboDown) {
    yield* noPinset(isLocal(call))
    return
  }
  for (const pin of cluster.pins.values()) {
    const progress = cluster.pins.progressOf(pin.cid) ?? listed(pin)
    if (mask === 0 || (statusBit(progress.status) & mask) !== 0) {
      yield pinInfo(cluster.peer, pin, progress)
    }
  }
}

/** Of Kubo's pins only the recursive ones are asked for. */
const listed = (pin: Pin): Progress =>
  pin.maxDepth === 0
    ? entry('unexpectedly_unpinned', pin.timestamp, 'the item should be pinned but it is not')
    : settled(pin)

/** The list of operations, without Kubo. */
function* inFlight({ cluster }: Call, mask: number): Generator<Json> {
  for (const [cid, progress] of cluster.pins.progress()) {
    if ((statusBit(progress.status) & mask) === 0) continue
    const pin = cluster.pins.get(cid)
    if (pin !== undefined) yield pinInfo(cluster.peer, pin, progress)
    else yield unpinnedInfo(cluster.peer, cid, progress, true)
  }
}

/** Kubo is down: a local listing fails, a merged one looks like an empty cluster. */
function* noPinset(local: boolean): Generator<Json> {
  const call = 'pin/ls?stream=true&type=recursive'
  if (local) throw new StreamError(`could not get pinset from IPFS: ${refused(call)}`)
  yield* []
}

/** Undefined when there is nothing to do again; Kubo succeeds as soon as the answer is out. */
function requeue(cluster: Cluster, cid: string): Json | undefined {
  const { pins, peer } = cluster
  const pin = pins.get(cid)
  const { status: failed, attempts = 0 } = pins.progressOf(cid) ?? {}
  if (pin !== undefined && (failed === 'pin_error' || failed === 'unexpectedly_unpinned')) {
    pins.setStatus(cid, cluster.kuboDown ? 'pin_queued' : cluster.statusOfNewPins)
    return pinInfo(peer, pin, entry('pin_queued', nowNanos(), '', attempts))
  }
  if (pin === undefined && failed === 'unpin_error') {
    pins.setStatus(cid, cluster.kuboDown ? 'unpin_queued' : 'unpinned')
    return unpinnedInfo(peer, cid, entry('unpin_queued', nowNanos()), true)
  }
  return undefined
}
