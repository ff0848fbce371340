/** The cluster's JSON shapes, their fields in the cluster's order. */
import type { Json } from './json.js'
import { type Peer, refused } from './peer.js'
import type { Pin, Progress, Status } from './state.js'
import { zeroTime } from './times.js'

export function pinAnswer(pin: Pin): Json {
  return {
    replication_factor_min: pin.replicationMin,
    replication_factor_max: pin.replicationMax,
    name: pin.name,
    mode: pin.mode,
    shard_size: pin.shardSize,
    user_allocations: pin.userAllocations,
    expire_at: pin.expireAt,
    metadata: pin.metadata,
    pin_update: pin.pinUpdate,
    origins: pin.origins,
    cid: pin.cid,
    type: pin.type,
    allocations: pin.allocations,
    max_depth: pin.maxDepth,
    reference: null,
    timestamp: pin.timestamp,
  }
}

/** One line of a listing, or the status of one CID that is in the pinset. */
export function pinInfo(peer: Peer, pin: Pin, progress: Progress): Json {
  return {
    cid: pin.cid,
    name: pin.name,
    allocations: pin.allocations,
    origins: pin.origins,
    created: pin.timestamp,
    metadata: pin.metadata,
    peer_map: peerMap(peer, progress, pin),
  }
}

/** The status of a CID that is not in the pinset. */
export function unpinnedInfo(peer: Peer, cid: string, progress: Progress, local: boolean): Json {
  return {
    cid,
    name: '',
    allocations: local ? null : [],
    origins: null,
    created: local ? zeroTime : progress.timestamp,
    metadata: null,
    peer_map: peerMap(peer, progress),
  }
}

const hurried: readonly Status[] = ['pin_queued', 'pinning', 'pin_error']
const hurriedMs = 24 * 3_600_000

function peerMap(peer: Peer, progress: Progress, pin?: Pin): Json {
  const { status, error, timestamp, attempts } = progress
  const young = pin !== undefined && Date.now() - Date.parse(pin.timestamp) < hurriedMs
  const entry = {
    peername: peer.peername,
    ipfs_peer_id: peer.kuboId,
    ipfs_peer_addresses: peer.kuboAddresses.length > 0 ? peer.kuboAddresses : undefined,
    status,
    timestamp,
    error,
    attempt_count: attempts,
    priority_pin: young && hurried.includes(status),
  }
  return new Map<string, Json>([[peer.id, entry]])
}

export function idAnswer(peer: Peer, kuboDown: boolean): Json {
  const at = (host: string) => `/ip4/${host}/tcp/9096/p2p/${peer.id}`
  return {
    id: peer.id,
    addresses: [at('127.0.0.1'), at('203.0.113.10')],
    cluster_peers: [peer.id],
    cluster_peers_addresses: [],
    version: peer.version,
    commit: '',
    rpc_protocol_version: '/ipfscluster/1.0/rpc',
    error: '',
    ipfs: kuboDown
      ? { addresses: null, error: refused('id') }
      : { id: peer.kuboId, addresses: peer.kuboAddresses, error: '' },
    peername: peer.peername,
  }
}
