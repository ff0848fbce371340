/** Adds, rotates and removes encoders and keys in the text of a configuration. */
import { applyEdits, findNodeAtLocation, modify, type Node, parseTree } from 'jsonc-parser'
import { atOnce } from '../../time/slices.js'
import { parseJson } from '../files/parse.js'
import { dayMs } from '../../time/units.js'
import { keysMax } from '../schema/names.js'
import { configFrom } from '../load.js'
import { EditError } from './edit.js'
import type { EncoderConfig, KeyConfig } from '../schema/schema.js'
import { insertLast, withoutEntry } from './entries.js'

export interface KeyAddition {
  readonly encoder: string
  readonly key: KeyConfig
  /** Role of a new encoder; undefined: the default. */
  readonly role: string | undefined
  /** LeaseId of a new encoder; undefined: derived from its name. */
  readonly leaseId?: string
}

export interface KeyAdded {
  readonly text: string
  readonly isNewEncoder: boolean
}

/**
 * Adds a key, and its encoder if that is new. This only inserts text; the caller checks that the
 * result is valid.
 */
export function addKey(text: string, { encoder, key, role, leaseId }: KeyAddition): KeyAdded {
  const root = rootOf(text)
  const encoders = nodeAt(root, ['encoders'])
  const known = nodeAt(root, ['encoders', encoder])
  const keys = nodeAt(root, ['encoders', encoder, 'keys'])
  const insert = (container: Node, value: unknown, name?: string) => ({
    text: insertLast(text, container, name === undefined ? { value } : { name, value }),
    isNewEncoder: known === undefined,
  })
  if (keys?.type === 'array') return insert(keys, key)
  if (known?.type === 'object' && keys === undefined) return insert(known, [key], 'keys')
  const lease = leaseId === undefined ? {} : { leaseId }
  const added = { ...(role === undefined ? {} : { role }), ...lease, keys: [key] }
  if (encoders?.type === 'object' && known === undefined) return insert(encoders, added, encoder)
  if (root?.type === 'object' && encoders === undefined)
    return insert(root, { [encoder]: added }, 'encoders')
  // The validation reports a value that should be an object or a list.
  return { text, isNewEncoder: false }
}

export interface KeyRotation {
  readonly encoder: string
  /** Id of the old key. */
  readonly old: string
  /** The end of the old key (UTC), unless it expires sooner. */
  readonly until: string
  readonly key: KeyConfig
}

/** Adds a key beside an old one, and sets the end of the old one. */
export function rotateKey(text: string, { encoder, old, until, key }: KeyRotation): string {
  const index = indexOfKey(text, encoder, old)
  if (index < 0) throw new RangeError(`encoder ${encoder} has no key ${old}`)
  const limited = setField(text, ['encoders', encoder, 'keys', index], 'expires', until)
  return addKey(limited, { encoder, key, role: undefined }).text
}

/**
 * Removes the key with its comma and its line; all other text stays.
 *
 * @returns undefined when the encoder has no such key
 */
export function removeKey(text: string, encoder: string, id: string): string | undefined {
  const index = indexOfKey(text, encoder, id)
  return index < 0 ? undefined : without(text, ['encoders', encoder, 'keys'], index)
}

export interface KeysCleared {
  readonly text: string
  /** Number of removed keys. */
  readonly count: number
}

/** After this time an operator no longer needs an expired key. */
const expiredMs = 30 * dayMs

/** Removes keys that expired a month ago, and more recent ones if the list is full. */
export function clearExpired(text: string, encoder: string, now: number): KeysCleared {
  const keys = configFrom(text).encoders[encoder]?.keys ?? []
  const expired = keys
    .map(({ id, expires = '' }) => ({ id, endMs: Date.parse(expires) }))
    .filter(({ endMs }) => endMs <= now)
    .sort((one, other) => one.endMs - other.endMs)
  const surplus = keys.length + 1 - keysMax
  const gone = expired.filter(({ endMs }, index) => endMs <= now - expiredMs || index < surplus)
  const left = gone.reduce((text, { id }) => removeKey(text, encoder, id) ?? text, text)
  return { text: left, count: gone.length }
}

/** @throws EditError when the text has no such encoder */
export function encoderIn(text: string, encoder: string): EncoderConfig {
  const { encoders } = configFrom(text)
  const found = Object.hasOwn(encoders, encoder) ? encoders[encoder] : undefined
  if (found !== undefined) return found
  throw new EditError(`there is no encoder ${encoder}`, 'pinwarden encoders list shows them')
}

/** Removes an encoder with all of its keys. */
export const removeEncoder = (text: string, encoder: string): string =>
  without(text, ['encoders'], encoder)

function without(text: string, path: Path, name: string | number): string {
  const container = nodeAt(parseTree(text), path)
  const found = container && nodeAt(container, [name])
  if (container === undefined || found === undefined) return text
  return withoutEntry(text, container, typeof name === 'number' ? found : (found.parent ?? found))
}

/**
 * Sets a field. An existing field keeps its place; a new one goes to the end of its object.
 *
 * @param path of the object, such as `['encoders', 'alpha', 'keys', 0]`; it must exist
 */
export function setField(text: string, path: Path, name: string, value: unknown): string {
  const object = nodeAt(rootOf(text), path)
  // The validation reports a value that should be an object.
  if (object?.type !== 'object') return text
  const isThere = nodeAt(object, [name]) !== undefined
  return isThere
    ? applyEdits(text, modify(text, [...path, name], value, {}))
    : insertLast(text, object, { name, value })
}

type Path = readonly (string | number)[]

/** @throws with the syntax error; parseTree alone would accept any text */
function rootOf(text: string): Node | undefined {
  atOnce(parseJson(text))
  return parseTree(text)
}

function nodeAt(root: Node | undefined, path: Path): Node | undefined {
  return root && findNodeAtLocation(root, [...path])
}

/** Index of the key; -1 when the encoder has no such key. */
function indexOfKey(text: string, encoder: string, id: string): number {
  const keys = configFrom(text).encoders[encoder]?.keys ?? []
  return keys.findIndex((key) => key.id === id)
}
