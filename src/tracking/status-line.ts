/** Sums up a pin's status at all peers in one word. */
import { ClusterFault } from '../cluster/faults.js'
import { readPinStatus } from '../cluster/status-answer.js'

/** `failed`: until the cluster tries again by itself. */
export type Stage = 'pending' | 'pinned' | 'failed' | 'unpinned'

export interface StatusLine {
  readonly cid: string
  readonly stage: Stage
  /** The cluster's error text; empty without a failure. */
  readonly error: string
}

/**
 * @param line a status as `GET /pins` and `GET /pins/{cid}` give it
 * @returns undefined: this line is not a status; other lines may be
 */
export function statusIn(line: Buffer): StatusLine | undefined {
  try {
    const { cid, peers } = readPinStatus(line.toString())
    const failed = peers.find(({ status }) => status === 'pin_error')
    const stage = stageOf(peers.map(({ status }) => status))
    return { cid, stage, error: stage === 'failed' ? (failed?.error ?? '') : '' }
  } catch (error) {
    if (error instanceof ClusterFault) return undefined
    throw error
  }
}

const atWork = new Set(['pin_queued', 'pinning'])
const done = new Set(['pinned', 'sharded'])

function stageOf(statuses: readonly string[]): Stage {
  if (statuses.length === 0 || statuses.some((status) => atWork.has(status))) return 'pending'
  if (statuses.includes('pin_error')) return 'failed'
  if (statuses.every((status) => done.has(status))) return 'pinned'
  // `unexpectedly_unpinned` and `cluster_error` are not final.
  return statuses.every((status) => status === 'unpinned') ? 'unpinned' : 'pending'
}

const start = Buffer.from('{"cid":"')
const quote = '"'.charCodeAt(0)

/** The CID that a line begins with, without reading all of it; undefined: it begins otherwise. */
export function cidAtStart(line: Buffer): string | undefined {
  if (!line.subarray(0, start.length).equals(start)) return undefined
  const end = line.indexOf(quote, start.length)
  return end < 0 ? undefined : line.toString('latin1', start.length, end)
}
