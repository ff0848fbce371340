/** Differences between two settings, by name and never by secret, for the operator's log. */
import { isDeepStrictEqual } from 'node:util'
import { inSlices, type SlicedWork, unhurried } from '../../time/slices.js'
import { reloadedOfListen } from './restart.js'
import { leaseIdOf } from '../values/lease-id.js'
import { compiledSchema } from '../schema/compiled-schema.js'
import type { Config, EncoderConfig } from '../schema/schema.js'

export interface Changes {
  /** Sections of the file, such as `limits`, whose values differ. */
  readonly sections: readonly string[]
  readonly encodersAdded: readonly string[]
  readonly encodersRemoved: readonly string[]
  /** Encoders with changes other than their keys. */
  readonly encodersChanged: readonly string[]
  /** Encoders that do not hold their earlier pins any more. */
  readonly leaseIdsChanged: readonly string[]
  /** As `encoder/id`. */
  readonly keysAdded: readonly string[]
  readonly keysRemoved: readonly string[]
  /** The same id with another expiry, note or digest. */
  readonly keysChanged: readonly string[]
  /** Fields such as `store.passwordFile` whose file has a new content. */
  readonly files: readonly string[]
}

/** A configuration, with digests of the files that it names. */
export interface Compared {
  readonly config: Config
  /** Digests by field. */
  readonly fileDigests: ReadonlyMap<string, string>
}

/** Sections that are compared whole. */
const sections = (Object.keys(compiledSchema.properties) as (keyof Config)[]).filter(
  (name) => !['$schema', 'listen', 'encoders'].includes(name),
)

/**
 * Omits fields without a difference; equal settings give an empty object. Yields to other work, as
 * there may be thousands of encoders.
 */
export const changesBetween = (old: Compared, now: Compared): Promise<Partial<Changes>> =>
  unhurried(comparing(old, now))

function* comparing(old: Compared, now: Compared): SlicedWork<Partial<Changes>> {
  const [before, after] = [old.config, now.config]
  const ofBoth = [Object.entries(before.encoders), Object.entries(after.encoders)] as const
  const encoders = yield* compared(...ofBoth, withoutKeys)
  const leaseIds = yield* compared(...ofBoth, ({ leaseId }, name) => leaseId ?? leaseIdOf(name))
  const keys = yield* compared(yield* keysOf(ofBoth[0]), yield* keysOf(ofBoth[1]), (key) => key)
  const changes: Changes = {
    sections: [
      ...reloadedOfListen
        .filter((name) => !isSame(before.listen[name], after.listen[name]))
        .map((name) => `listen.${name}`),
      ...sections.filter((name) => !isSame(before[name], after[name])),
    ],
    encodersAdded: encoders.added,
    encodersRemoved: encoders.removed,
    encodersChanged: encoders.changed,
    leaseIdsChanged: leaseIds.changed,
    keysAdded: keys.added,
    keysRemoved: keys.removed,
    keysChanged: keys.changed,
    files: changedFiles(old.fileDigests, now.fileDigests),
  }
  const named = Object.entries(changes) as [string, readonly string[]][]
  return Object.fromEntries(named.filter(([, names]) => names.length > 0))
}

const changedFiles = (old: Compared['fileDigests'], now: Compared['fileDigests']): string[] =>
  [...new Set([...old.keys(), ...now.keys()])].filter((field) => old.get(field) !== now.get(field))

type Named<T> = readonly (readonly [string, T])[]

function* keysOf(encoders: Named<EncoderConfig>): SlicedWork<Named<unknown>> {
  const keys = yield* inSlices(encoders, ([name, { keys }]) =>
    keys.map((key) => [`${name}/${key.id}`, key] as const),
  )
  return keys.flat()
}

const withoutKeys = (encoder: EncoderConfig): unknown => ({ ...encoder, keys: undefined })

/** Most names in one log line, as there may be thousands. */
const namesMax = 20

function* compared<T>(
  before: Named<T>,
  after: Named<T>,
  part: (value: T, name: string) => unknown,
): SlicedWork<Record<'added' | 'removed' | 'changed', string[]>> {
  const old = new Map(before)
  const added: string[] = []
  const changed: string[] = []
  yield* inSlices(after, ([name, value]) => {
    const previous = old.get(name)
    if (previous === undefined) added.push(name)
    else if (!isSame(part(previous, name), part(value, name))) changed.push(name)
    old.delete(name)
  })
  return { added: some(added), removed: some([...old.keys()]), changed: some(changed) }
}

const some = (names: string[]): string[] =>
  names.length <= namesMax
    ? names
    : [...names.slice(0, namesMax), `and ${names.length - namesMax} more`]

/** Both passed the same schema, so only the order of fields is insignificant. */
const isSame = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b)
