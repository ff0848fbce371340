/** The gate's answers about pins that the cluster lacks, in the cluster's own shapes. */
import type { QueueEntry } from '../../ledger/queue-entry.js'

/** Go's zero time: never. */
const never = '0001-01-01T00:00:00Z'

/**
 * Clients parse the keys of a status as peer IDs, so this has to be one: the identity multihash of
 * an Ed25519 key whose bytes are `pinwarden: a journal, not a peer`.
 */
const peerId = '12D3KooWHPB5JxcYaVEHgpQmK5Jr3X3W5VucXGYGudT8sQKTs8zV'

/** The answer to a POST, or to the DELETE of what the cluster does not show yet: Pin. */
export function unshownPin({
  cid,
  options,
  untilMs,
  atMs,
}: Pick<QueueEntry, 'cid' | 'options' | 'untilMs' | 'atMs'>): string {
  const given = new Map(options)
  const both = given.get('replication')
  return lineOf({
    replication_factor_min: Number(both ?? given.get('replication-min') ?? -1),
    replication_factor_max: Number(both ?? given.get('replication-max') ?? -1),
    name: given.get('name') ?? '',
    mode: 'recursive',
    shard_size: 0,
    user_allocations: given.get('user-allocations')?.split(',') ?? null,
    expire_at: untilMs === Infinity ? never : new Date(untilMs).toISOString(),
    metadata: metadataIn(options),
    pin_update: given.get('pin-update') ?? null,
    origins: given.get('origins')?.split(',') ?? null,
    cid,
    type: 'pin',
    allocations: [],
    max_depth: -1,
    reference: null,
    timestamp: new Date(atMs).toISOString(),
  })
}

/** The answer to a GET: GlobalPinInfo. */
export function queuedStatus({ cid, atMs, ...entry }: QueueEntry): string {
  const options = entry.frozen ?? entry.options
  const time = new Date(atMs).toISOString()
  const peer = {
    peername: 'pinwarden',
    status: 'pin_queued',
    timestamp: time,
    error: '',
    attempt_count: 0,
    priority_pin: false,
  }
  return lineOf({
    cid,
    name: new Map(options).get('name') ?? '',
    allocations: [],
    origins: null,
    created: time,
    metadata: metadataIn(options),
    peer_map: { [peerId]: peer },
  })
}

const metadataIn = (options: QueueEntry['options']): Record<string, string> =>
  Object.fromEntries(
    options
      .filter(([name]) => name.startsWith('meta-'))
      .map(([name, value]) => [name.slice('meta-'.length), value]),
  )

const lineOf = (json: object): string => `${JSON.stringify(json)}\n`
