/** Pinning and unpinning: records are replaced whole, never merged. */
import { pinAnswer } from './answers.js'
import { type Call, type Cluster, type Handler, sendError, sendJson } from './cluster.js'
import { type NamedPin, pinOfPathOrFail, pinOrFail } from './pin-of-call.js'
import { peerId } from './peer.js'
import type { Pin } from './state.js'
import { nowNanos, zeroTime } from './times.js'

export const pin: Handler = (call) => put(call, pinOrFail(call))
export const pinPath: Handler = (call) => put(call, pinOfPathOrFail(call))
export const unpin: Handler = (call) => remove(call, pinOrFail(call))
export const unpinPath: Handler = (call) => remove(call, pinOfPathOrFail(call))

const notPinned = 'pin is not part of the pinset'

function put({ cluster, reply }: Call, named: NamedPin | undefined): unknown {
  if (named === undefined) return undefined
  const made = named.options.pinUpdate === null ? fresh(cluster, named) : update(cluster, named)
  if (typeof made === 'string') {
    return sendError(reply, made === notPinned ? 404 : 500, made)
  }
  cluster.pins.set(made.cid, made)
  cluster.pins.setStatus(made.cid, cluster.kuboDown ? 'pin_queued' : cluster.statusOfNewPins)
  return sendJson(reply, 200, pinAnswer(made))
}

/** A new record, or what is wrong with it. */
function fresh({ pins }: Cluster, { cid, options, maxDepth }: NamedPin): Pin | string {
  const min = options.replicationMin === 0 ? -1 : options.replicationMin
  const max = options.replicationMax === 0 ? -1 : options.replicationMax
  const wrong = replicationFault(min, max)
  if (wrong !== undefined) return wrong
  if (options.expireAt !== zeroTime && Date.parse(options.expireAt) < Date.now()) {
    return 'pin.ExpireAt set before current time'
  }
  if (options.mode === 'direct' && pins.get(cid)?.mode === 'recursive') {
    return (
      'cannot repin a CID which is already pinned in recursive mode ' +
      '(new pin is pinned as direct). Unpin it first.'
    )
  }
  if (min > 1) {
    return (
      `not enough peers to allocate CID. Needed at least: ${min}. Wanted at most: ${max}. ` +
      'Available candidates: 1. See logs for more info.'
    )
  }
  if (!options.storable) return 'string field contains invalid UTF-8'
  return {
    ...options,
    replicationMin: min,
    replicationMax: max,
    cid,
    type: 'pin',
    allocations: min === -1 ? [] : [peerId],
    maxDepth,
    timestamp: nowNanos(),
  }
}

function replicationFault(min: number, max: number): string | undefined {
  const of = 'cluster.replication_factor_'
  if (min > max) return `${of}min is larger than max`
  if (min < -1) return `${of}min is wrong`
  if (max < -1) return `${of}max is wrong`
  if (min === -1 && max !== -1) return `${of}min and max must be -1 when one of them is`
  return undefined
}

/** A copy of another pin, or what is wrong with it. */
function update(cluster: Cluster, named: NamedPin): Pin | string {
  const { cid, options } = named
  const source = options.pinUpdate ?? ''
  if (source === cid) return fresh(cluster, named)
  const existing = cluster.pins.get(source)
  if (existing === undefined) return notPinned
  if (existing.type !== 'pin') return 'this pin type cannot be updated'
  const later = options.expireAt !== zeroTime && Date.parse(options.expireAt) > Date.now()
  return {
    ...existing,
    cid,
    name: options.name === '' ? existing.name : options.name,
    expireAt: later ? options.expireAt : existing.expireAt,
    pinUpdate: source,
    timestamp: nowNanos(),
  }
}

function remove({ cluster, reply }: Call, named: NamedPin | undefined): unknown {
  if (named === undefined) return undefined
  const stored = cluster.pins.get(named.cid)
  if (stored === undefined) return sendError(reply, 404, notPinned)
  if (stored.type !== 'pin') {
    const why = 'cannot unpin a shard directly. Unpin content root CID instead'
    return sendError(reply, 500, why)
  }
  cluster.pins.delete(named.cid)
  return sendJson(reply, 200, pinAnswer(stored))
}
