/** The status of a pin, as `GET /pins` and `GET /pins/{cid}` tell it, read field by field. */
import { badAnswer, isObject, readObject } from './json.js'

export interface StatusAnswer {
  readonly cid: string
  /** Statuses of the peers that the pin is allocated to. */
  readonly peers: readonly PeerStatus[]
}

interface PeerStatus {
  /** One of the cluster's words, or another. */
  readonly status: string
  /** The cluster's error text; usually empty. */
  readonly error: string
}

/** @throws ClusterFault when it is not such a status */
export function readPinStatus(text: string): StatusAnswer {
  const { cid, peer_map: peers } = readObject(text)
  if (typeof cid !== 'string') throw badAnswer('a status without a CID')
  // Peers report an empty map as null.
  if (!isObject(peers) && peers !== null) throw badAnswer('a status without its peers')
  const all = Object.values(peers ?? {}).map(readPeer)
  return { cid, peers: all.filter(({ status }) => status !== 'remote') }
}

function readPeer(peer: unknown): PeerStatus {
  if (!isObject(peer)) throw badAnswer('a peer without a status')
  const { status, error } = peer
  if (typeof status !== 'string') throw badAnswer('a peer without a status')
  return { status, error: typeof error === 'string' ? error : '' }
}
