/** Reads the options of a pin: an allow-list, each value checked, rebuilt in one spelling. */
import { canonicalCid } from '../../cluster/cid.js'
import type { Parameter } from '../../cluster/query.js'
import { reservedPrefix } from '../../leases/lease.js'
import { isDialableAddress, isPeerId } from '../../cluster/peer.js'
import type { OptionGrant } from '../../settings/values/permissions.js'
import { BadRequest, refusals } from '../refusals.js'
import { readExpiry } from './pin-expiry.js'
import { quote } from '../target.js'

const bytesMax = { name: 512, metaKey: 128, metaValue: 1024 }
const metadataMax = 32
const peersMax = 32
/** The cluster has Kubo dial at most this many. */
const originsMax = 10

/** Clients print names in listings. */
const controls = /\p{Cc}/u

type Reader = (value: string, name: string) => string | undefined

/**
 * The grant that each option needs, and its parser; undefined means absent, as for the zeros that
 * ipfs-cluster-ctl always sends.
 */
const readers = new Map<string, { readonly grant?: OptionGrant; readonly read: Reader }>([
  ['name', { read: bounded(bytesMax.name) }],
  ['mode', { read: mode }],
  ['shard-size', { read: onlyZero }],
  ['replication', { grant: 'replication', read: replication }],
  ['replication-min', { grant: 'replication', read: replication }],
  ['replication-max', { grant: 'replication', read: replication }],
  ['user-allocations', { grant: 'user-allocations', read: list(peersMax, isPeerId) }],
  ['origins', { grant: 'origins', read: list(originsMax, isDialableAddress) }],
  ['pin-update', { grant: 'pin-update', read: canonicalCid }],
])
const zeroable = new Set(['replication', 'replication-min', 'replication-max'])

/** The options of a pin. */
export interface PinOptions {
  /** As the cluster gets them, in the client's order, without the expiry. */
  readonly options: readonly Parameter[]
  /** Milliseconds since the epoch, whole seconds; Infinity: never. */
  readonly untilMs: number
}

/**
 * Checks every option of a pin. The cluster answers a bad one with 400 and *still acts*, without
 * the options that come after it, so none may reach it.
 *
 * @param granted options beyond one's own pin that the encoder may use
 * @throws BadRequest `bad-option`, or `option-not-granted`
 */
export function readPinOptions(
  query: ReadonlyMap<string, string>,
  granted: ReadonlySet<OptionGrant>,
): PinOptions {
  const options: Parameter[] = []
  let metadata = 0
  for (const [name, value] of query) {
    if (name === 'expire-at' || name === 'expire-in') continue
    if (name.startsWith('meta-')) {
      if (++metadata > metadataMax) throw new BadRequest('bad-option', 'too many metadata entries')
      options.push(readMetadata(name, value))
      continue
    }
    const option = readers.get(name)
    if (option === undefined) throw unknownParameter(name)
    if (zeroable.has(name) && value === '0') continue
    if (option.grant !== undefined && !granted.has(option.grant)) {
      throw new BadRequest(
        'option-not-granted',
        `${refusals['option-not-granted'].message}: ${name}`,
      )
    }
    const read = option.read(value, name)
    if (read === undefined) throw invalid(name)
    if (read !== '') options.push([name, read])
  }
  checkReplication(new Map(options))
  return { options, untilMs: readExpiry(query, Date.now()) }
}

/** Whether an encoder may ask for an option of this name. */
export function mayAsk(name: string, granted: ReadonlySet<OptionGrant>): boolean {
  const option = readers.get(name)
  const isKnown = option !== undefined || name.startsWith('meta-')
  return isKnown && (option?.grant === undefined || granted.has(option.grant))
}

export const unknownParameter = (name: string): BadRequest =>
  new BadRequest('bad-option', `unknown parameter ${quote(name)}`)

function invalid(name: string, expected?: string): BadRequest {
  const text = `parameter ${name} invalid`
  return new BadRequest('bad-option', expected === undefined ? text : `${text}: ${expected}`)
}

function readMetadata(name: string, value: string): Parameter {
  const key = name.slice('meta-'.length)
  if (key === '' || Buffer.byteLength(key) > bytesMax.metaKey)
    throw invalid(quote(name), `a key has 1 to ${bytesMax.metaKey} bytes`)
  if (Buffer.byteLength(value) > bytesMax.metaValue)
    throw invalid(quote(name), `at most ${bytesMax.metaValue} bytes`)
  if (controls.test(key + value)) throw invalid(quote(name))
  if (key.startsWith(reservedPrefix))
    throw new BadRequest('bad-option', `metadata under ${reservedPrefix} is reserved`)
  return [name, value]
}

function bounded(max: number): Reader {
  return (value, name) => {
    if (Buffer.byteLength(value) > max) throw invalid(name, `at most ${max} bytes`)
    return controls.test(value) ? undefined : value
  }
}

/** `direct` on this route is echoed but pinned recursively (state.go keeps only the depth). */
function mode(value: string): string | undefined {
  return value === 'recursive' ? value : undefined
}

/** Stored and unused for pins; ctl sends 0. */
function onlyZero(value: string): string | undefined {
  return value === '0' ? '' : undefined
}

function replication(value: string): string | undefined {
  const number = Number(value)
  return /^-?\d{1,4}$/.test(value) && (number === -1 || number > 0) ? String(number) : undefined
}

/** Values that the cluster would refuse later, with a 500. */
function checkReplication(options: ReadonlyMap<string, string>): void {
  if (options.has('replication')) return
  const min = Number(options.get('replication-min') ?? 0)
  const max = Number(options.get('replication-max') ?? 0)
  const mixed = (min === -1) !== (max === -1) && min !== 0 && max !== 0
  if (mixed || (max > 0 && min > max)) {
    throw new BadRequest('bad-option', 'replication-min is larger than replication-max')
  }
}

function list(max: number, isValid: (item: string) => boolean): Reader {
  return (value) => {
    const items = value.split(',')
    return items.length <= max && items.every(isValid) ? value : undefined
  }
}
