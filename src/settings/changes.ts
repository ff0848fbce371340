/** What is different between two settings, by name and never by secret: for the operator's log. */
import { isDeepStrictEqual } from 'node:util'
import type { Config, EncoderConfig } from './schema.js'

export interface Changes {
  /** Sections of the file, such as `limits`, whose values differ. */
  readonly sections: readonly string[]
  readonly encodersAdded: readonly string[]
  readonly encodersRemoved: readonly string[]
  /** Other fields than the keys. */
  readonly encodersChanged: readonly string[]
  /** As `encoder/id`. */
  readonly keysAdded: readonly string[]
  readonly keysRemoved: readonly string[]
  /** The same id with another expiry, note or digest. */
  readonly keysChanged: readonly string[]
  /** Fields that take effect only after a restart. */
  readonly needRestart: readonly string[]
}

const sections = [
  'cluster',
  'listing',
  'log',
  'limits',
  'enforcement',
  'unpin',
  'onOutage',
  'lookBack',
  'journal',
  'fallback',
  'store',
  'retentionDays',
  'roles',
] as const

/** Fields without a difference are left out; equal settings give an empty object. */
export function changesBetween(before: Config, after: Config): Partial<Changes> {
  const encoders = compared(before.encoders, after.encoders, withoutKeys)
  const keys = compared(keysOf(before), keysOf(after), (key) => key)
  const changes: Changes = {
    sections: sections.filter((name) => !isSame(before[name], after[name])),
    encodersAdded: encoders.added,
    encodersRemoved: encoders.removed,
    encodersChanged: encoders.changed,
    keysAdded: keys.added,
    keysRemoved: keys.removed,
    keysChanged: keys.changed,
    needRestart: restartFields(before, after),
  }
  const named = Object.entries(changes) as [string, readonly string[]][]
  return Object.fromEntries(named.filter(([, names]) => names.length > 0))
}

/** The listener's own, but for the certificate, and what was made in its size at the start. */
function restartFields(before: Config, after: Config): string[] {
  const names = Object.keys({ ...before.listen, ...after.listen }) as (keyof Config['listen'])[]
  const listen = names
    .filter((name) => !isSame(listenerPart(before, name), listenerPart(after, name)))
    .map((name) => `listen.${name}`)
  const others: [name: string, isEqual: boolean][] = [
    ['admin', isSame(before.admin, after.admin)],
    ['control', isSame(before.control, after.control)],
    ['log.file', before.log.file === after.log.file],
    ['log.bufferBytesMax', before.log.bufferBytesMax === after.log.bufferBytesMax],
    ['onOutage', before.onOutage === after.onOutage],
    ['store', isSame(before.store, after.store)],
    ['fallback', isSame(before.fallback, after.fallback)],
    ['lookBack', isSame(before.lookBack, after.lookBack)],
    ['journal.directory', before.journal.directory === after.journal.directory],
    ['journal.entriesMax', before.journal.entriesMax === after.journal.entriesMax],
    ['listing.directory', before.listing.directory === after.listing.directory],
    ['listing.spoolBytesMax', before.listing.spoolBytesMax === after.listing.spoolBytesMax],
    [
      'limits.failures.addressesMax',
      before.limits.failures.addressesMax === after.limits.failures.addressesMax,
    ],
  ]
  return [...listen, ...others.filter(([, isEqual]) => !isEqual).map(([name]) => name)]
}

/** Of `tls` only whether it is on: its files are read anew. */
const listenerPart = ({ listen }: Config, name: keyof Config['listen']): unknown =>
  name === 'tls' ? listen.tls !== undefined : listen[name]

const keysOf = ({ encoders }: Config): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(encoders).flatMap(([name, { keys }]) =>
      keys.map((key) => [`${name}/${key.id}`, key]),
    ),
  )

const withoutKeys = (encoder: EncoderConfig): unknown => ({ ...encoder, keys: undefined })

/** Names that one log line takes; there may be thousands. */
const namesMax = 20

function compared<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  part: (value: T) => unknown,
): Record<'added' | 'removed' | 'changed', string[]> {
  const old = new Map(Object.entries(before))
  const added: string[] = []
  const changed: string[] = []
  for (const [name, value] of Object.entries(after)) {
    const previous = old.get(name)
    if (previous === undefined) added.push(name)
    else if (!isSame(part(previous), part(value))) changed.push(name)
    old.delete(name)
  }
  return { added: some(added), removed: some([...old.keys()]), changed: some(changed) }
}

const some = (names: string[]): string[] =>
  names.length <= namesMax
    ? names
    : [...names.slice(0, namesMax), `and ${names.length - namesMax} more`]

/** Both went through one schema: only the order of their fields can differ without meaning. */
const isSame = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b)
