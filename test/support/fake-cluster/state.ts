/** The pinset of the fake cluster and what its peer says of each pin. */
import { ApiError } from './cids.js'
import { never, noOptions, type PinOptions } from './options.js'

export type Status =
  | 'pinned'
  | 'pinning'
  | 'pin_queued'
  | 'pin_error'
  | 'unpinned'
  | 'unpin_queued'
  | 'unpin_error'
  | 'unexpectedly_unpinned'
  | 'cluster_error'

export interface PinRecord {
  readonly cid: string
  readonly options: PinOptions
  readonly timestamp: string
  status: Status
  error: string
}

export const peer = {
  id: '12D3KooWG395pxKwfAyFr4uzVdKNTWNXucp3v9yVGucYKZ5PhBC4',
  ipfs: '12D3KooWJgjpcEvgq12sgMNZdcmUmeT8m4D8qHu5X5Hpq4zg46Jy',
  address: '/ip4/203.0.113.10/tcp/4001/p2p/12D3KooWJgjpcEvgq12sgMNZdcmUmeT8m4D8qHu5X5Hpq4zg46Jy',
}

export class Pinset {
  readonly pins = new Map<string, PinRecord>()
  /** Kubo unreachable: cluster API §4 and §6. */
  kuboDown = false
  peername = '160TB-SuperNode'
  version = '1.1.4'

  /** Writes the record whole: what this request does not say is cleared. */
  pin(cid: string, options: PinOptions): PinRecord {
    check(options)
    const source = options.pinUpdate
    if (source !== null && source !== cid) {
      const copied = this.pins.get(source)
      if (copied === undefined) throw new ApiError(404, missing)
      const name = options.name === '' ? copied.options.name : options.name
      return this.write(cid, { ...copied.options, name, pinUpdate: source })
    }
    return this.write(cid, options)
  }

  private write(cid: string, options: PinOptions): PinRecord {
    const timestamp = new Date().toISOString()
    const record: PinRecord = { cid, options, timestamp, status: 'pinned', error: '' }
    this.pins.set(cid, record)
    return record
  }

  /** @throws ApiError 404 */
  unpin(cid: string): PinRecord {
    const record = this.pins.get(cid)
    if (record === undefined) throw new ApiError(404, missing)
    this.pins.delete(cid)
    return record
  }

  addPin(cid: string, options: Partial<PinOptions> = {}): PinRecord {
    return this.write(cid, { ...noOptions(), ...options })
  }

  setStatus(cid: string, status: Status, error = ''): void {
    const record = this.pins.get(cid)
    if (record !== undefined) Object.assign(record, { status, error })
  }
}

const missing = 'pin is not part of the pinset'

/** What the cluster finds out after parsing, as a 500. */
function check({ replicationMin: min, replicationMax: max, expireAt }: PinOptions): void {
  const effective = { min: min === 0 ? -1 : min, max: max === 0 ? -1 : max }
  if (effective.min < -1) throw new ApiError(500, 'cluster.replication_factor_min is wrong')
  if ((effective.min === -1) !== (effective.max === -1)) {
    throw new ApiError(
      500,
      effective.max === -1
        ? 'cluster.replication_factor_min is larger than max'
        : 'cluster.replication_factor_min and max must be -1 when one of them is',
    )
  }
  if (effective.min > effective.max) {
    throw new ApiError(500, 'cluster.replication_factor_min is larger than max')
  }
  if (effective.min > 1) {
    throw new ApiError(
      500,
      `not enough peers to allocate CID. Needed at least: ${min}. Wanted at most: ${max}. ` +
        'Available candidates: 1. See logs for more info.',
    )
  }
  if (expireAt !== never && Date.parse(expireAt) <= Date.now()) {
    throw new ApiError(500, 'pin.ExpireAt set before current time')
  }
}

/** Answer of POST, DELETE and allocations; the fields in the cluster's order. */
export function pinJson({ cid, options, timestamp }: PinRecord): object {
  return {
    replication_factor_min: options.replicationMin === 0 ? -1 : options.replicationMin,
    replication_factor_max: options.replicationMax === 0 ? -1 : options.replicationMax,
    name: options.name,
    // Echoed, though on the plain route the pin is recursive.
    mode: options.mode,
    shard_size: options.shardSize,
    user_allocations: options.userAllocations,
    expire_at: options.expireAt,
    metadata: sorted(options.metadata),
    pin_update: options.pinUpdate,
    origins: options.origins,
    cid,
    type: 'pin',
    allocations: [],
    max_depth: -1,
    reference: null,
    timestamp,
  }
}

/** A GlobalPinInfo: also for a CID that is not pinned. */
export function statusJson(pinset: Pinset, cid: string, isLocal: boolean): object {
  const record = pinset.pins.get(cid)
  const now = new Date().toISOString()
  const status =
    record === undefined ? 'unpinned' : pinset.kuboDown ? 'cluster_error' : record.status
  const created = record?.timestamp ?? (isLocal ? never : now)
  return {
    cid,
    name: record?.options.name ?? '',
    allocations: record === undefined && isLocal ? null : [],
    origins: record === undefined ? null : (record.options.origins ?? []),
    created,
    metadata: record === undefined ? null : nullIfEmpty(sorted(record.options.metadata)),
    peer_map: {
      [peer.id]: {
        peername: pinset.peername,
        ipfs_peer_id: peer.ipfs,
        ipfs_peer_addresses: [peer.address],
        status,
        timestamp: record?.timestamp ?? now,
        error: record?.error ?? '',
        attempt_count: status === 'pinning' ? 1 : 0,
        priority_pin: status === 'pin_queued',
      },
    },
  }
}

export function idJson({ kuboDown, peername, version }: Pinset): object {
  const refused =
    'Post "http://127.0.0.1:5001/api/v0/id": dial tcp 127.0.0.1:5001: connect: connection refused'
  return {
    id: peer.id,
    addresses: [
      `/ip4/203.0.113.10/tcp/9096/p2p/${peer.id}`,
      `/ip4/127.0.0.1/tcp/9096/p2p/${peer.id}`,
    ],
    cluster_peers: [peer.id],
    cluster_peers_addresses: [],
    version,
    commit: '',
    rpc_protocol_version: '/ipfscluster/1.0/rpc',
    error: '',
    ipfs: kuboDown
      ? { addresses: null, error: refused }
      : { id: peer.ipfs, addresses: [peer.address], error: '' },
    peername,
  }
}

const sorted = (entries: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)))

const nullIfEmpty = (entries: Record<string, string>): Record<string, string> | null =>
  Object.keys(entries).length === 0 ? null : entries
