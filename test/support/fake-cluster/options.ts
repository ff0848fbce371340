/** Pin options as the cluster parses them: in its order, stopping at the first bad one. */
import { ApiError, decodeCid } from './cids.js'

/** The options of one pin record. */
export interface PinOptions {
  replicationMin: number
  replicationMax: number
  name: string
  mode: 'recursive' | 'direct'
  shardSize: number
  userAllocations: string[] | null
  expireAt: string
  metadata: Record<string, string>
  pinUpdate: string | null
  origins: string[] | null
}

export const never = '0001-01-01T00:00:00Z'

export const noOptions = (): PinOptions => ({
  replicationMin: 0,
  replicationMax: 0,
  name: '',
  mode: 'recursive',
  shardSize: 0,
  userAllocations: null,
  expireAt: never,
  metadata: {},
  pinUpdate: null,
  origins: null,
})

export interface ParsedOptions {
  readonly options: PinOptions
  /** The trap: it is answered, and the operation is done all the same with what came before it. */
  readonly error: ApiError | undefined
}

/** Go takes the first of repeated names and drops pairs that it cannot read. */
export function parseQuery(raw: string): Map<string, string> {
  const query = new Map<string, string>()
  for (const pair of raw.split('&')) {
    if (pair === '' || pair.includes(';')) continue
    try {
      const equals = pair.indexOf('=')
      const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))
      const name = decode(equals < 0 ? pair : pair.slice(0, equals))
      if (!query.has(name)) query.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)))
    } catch {
      // A bad escape: the pair is dropped.
    }
  }
  return query
}

export function parseOptions(query: Map<string, string>): ParsedOptions {
  const options = noOptions()
  try {
    read(query, options)
    return { options, error: undefined }
  } catch (error) {
    if (error instanceof ApiError) return { options, error }
    throw error
  }
}

function read(query: Map<string, string>, options: PinOptions): void {
  const get = (name: string) => query.get(name) ?? ''
  const integer = (name: string): number => {
    const value = get(name)
    if (value === '') return 0
    if (!/^[+-]?\d+$/.test(value)) throw new ApiError(400, `parameter ${name} invalid`)
    return Number(value)
  }
  options.name = get('name')
  options.mode = get('mode') === 'direct' ? 'direct' : 'recursive'
  options.replicationMin = integer('replication-min')
  options.replicationMax = integer('replication-max')
  if (get('replication') !== '') {
    query.set('replication-min', get('replication')).set('replication-max', get('replication'))
    options.replicationMin = integer('replication-min')
    options.replicationMax = integer('replication-max')
  }
  if (get('shard-size') !== '' && !/^\d+$/.test(get('shard-size'))) {
    throw new ApiError(400, 'parameter shard_size is invalid')
  }
  options.shardSize = Number(get('shard-size'))
  const peers = get('user-allocations')
    .split(',')
    .filter((id) => /^[A-Za-z0-9]{46,62}$/.test(id))
  options.userAllocations = peers.length > 0 ? peers : null
  options.expireAt = expiry(get('expire-at'), get('expire-in'))
  for (const [name, value] of query) {
    if (name.startsWith('meta-') && name !== 'meta-') options.metadata[name.slice(5)] = value
  }
  if (get('pin-update') !== '') {
    try {
      options.pinUpdate = decodeCid(get('pin-update'))
    } catch {
      throw new ApiError(400, 'error decoding update option parameter: invalid cid: cid too short')
    }
  }
  const origins = get('origins')
    .split(',')
    .filter((origin) => origin !== '')
  for (const origin of origins) {
    if (!origin.startsWith('/'))
      throw new ApiError(400, 'error decoding multiaddress: must begin with /')
    if (!origin.includes('/p2p/'))
      throw new ApiError(400, 'multiaddress does not contain peer ID: ' + origin)
  }
  options.origins = origins.length > 0 ? origins : null
}

const units = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

function expiry(at: string, after: string): string {
  if (at !== '') {
    const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(at)
    if (!isTime || Number.isNaN(Date.parse(at))) {
      throw new ApiError(400, `expire-at cannot be parsed: parsing time "${at}"`)
    }
    return at
  }
  if (after === '') return never
  const parts = [...after.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== after) {
    throw new ApiError(400, `expire-in cannot be parsed: time: invalid duration "${after}"`)
  }
  const ms = parts.reduce(
    (sum, [, n, unit]) => sum + Number(n) * units[unit as keyof typeof units],
    0,
  )
  if (ms < 1000) throw new ApiError(400, 'expire-in duration too short')
  return new Date(Date.now() + ms).toISOString()
}
