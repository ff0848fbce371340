/** Which settings are in force only after a restart; all others a reload puts into force. */
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../schema/schema.js'

/** Sections and fields that the daemon is opened with. */
const fixed = [
  'admin',
  'control',
  'log.file',
  'log.bufferBytesMax',
  'onOutage',
  'store',
  'fallback',
  'lookBack',
  'journal.directory',
  'journal.entriesMax',
  'listing.directory',
  'listing.spoolBytesMax',
  'limits.failures.addressesMax',
] as const

/**
 * @param started what the daemon was started with
 * @returns the fields that wait for a restart, such as `listen.port`
 */
export function waitingFields(started: Config, wanted: Config): readonly string[] {
  const names = Object.keys({ ...started.listen, ...wanted.listen }) as (keyof Config['listen'])[]
  const listen = names
    .filter((name) => !isSame(listenerPart(started, name), listenerPart(wanted, name)))
    .map((name) => `listen.${name}`)
  return [...listen, ...fixed.filter((path) => !isSame(at(started, path), at(wanted, path)))]
}

/** Of `tls` only whether it is on: its files and its version are taken over. */
const listenerPart = ({ listen }: Config, name: keyof Config['listen']): unknown =>
  name === 'tls' ? listen.tls !== undefined : listen[name]

const at = (config: Config, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((value, field) => (value as Record<string, unknown>)[field], config)

const isSame = (one: unknown, other: unknown): boolean => isDeepStrictEqual(one, other)
