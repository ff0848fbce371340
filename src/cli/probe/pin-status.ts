/** Explains a status answer of the cluster, peer by peer. */
import { isObject } from '../../cluster/json.js'
import { quoted, type ProbeProblem } from './steps.js'

export interface PinStatus {
  /** No peer has pinned it or will pin it. */
  readonly isUnpinned: boolean
  /** All peers in one line. */
  readonly text: string
  readonly problems: readonly ProbeProblem[]
}

interface PeerStatus {
  readonly peer: string
  readonly status: string
  readonly error: string
}

/** @returns undefined when this is not a status answer */
export function pinStatusOf(json: unknown): PinStatus | undefined {
  const peers = peersIn(json)
  if (peers === undefined || peers.length === 0) return undefined
  return {
    isUnpinned: peers.every(({ status }) => status === 'unpinned'),
    text: peers.map(({ peer, status }) => `${words.get(status) ?? status} at ${peer}`).join(', '),
    problems: peers.flatMap(problemOf),
  }
}

const words = new Map([
  ['pinned', 'pinned'],
  ['pinning', 'being pinned (pinning)'],
  ['pin_queued', 'waiting to be pinned (pin_queued)'],
  ['unpinned', 'not pinned (unpinned)'],
  ['unpinning', 'being unpinned (unpinning)'],
  ['unpin_queued', 'waiting to be unpinned (unpin_queued)'],
  ['remote', 'left to other peers (remote)'],
  ['sharded', 'pinned in parts (sharded)'],
  ['cluster_error', 'unknown (cluster_error)'],
  ['pin_error', 'not pinned because of an error (pin_error)'],
  ['unpin_error', 'not unpinned because of an error (unpin_error)'],
  ['unexpectedly_unpinned', 'lost (unexpectedly_unpinned)'],
])

function problemOf({ peer, status, error }: PeerStatus): ProbeProblem[] {
  const because = error === '' ? '' : `: ${error}`
  const what = `${peer} says ${status}${because}`
  switch (status) {
    case 'cluster_error':
      return [
        {
          what,
          help:
            'that peer or its Kubo does not answer, which only the operator can fix. Pins are ' +
            'still accepted, and wait for it',
        },
      ]
    case 'pin_error':
      return [
        {
          what,
          help:
            'can other nodes fetch the CID? The cluster tries again by itself every few ' +
            'minutes; `recover` makes it try now',
        },
      ]
    case 'unpin_error':
    case 'unexpectedly_unpinned':
      return [{ what, help: '`recover` (POST /pins/{cid}/recover) makes the cluster try again' }]
    default:
      return []
  }
}

function peersIn(json: unknown): readonly PeerStatus[] | undefined {
  if (!isObject(json) || !isObject(json.peer_map)) return undefined
  const peers: PeerStatus[] = []
  for (const [id, entry] of Object.entries(json.peer_map)) {
    if (!isObject(entry) || typeof entry.status !== 'string') return undefined
    const { peername, status, error } = entry
    const name = typeof peername === 'string' && peername !== '' ? peername : id
    const said = typeof error === 'string' ? quoted(error) : ''
    peers.push({ peer: quoted(name, 64), status: quoted(status, 64), error: said })
  }
  return peers
}
