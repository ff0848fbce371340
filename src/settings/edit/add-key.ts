/** Adds a key, and if need be its encoder, to the text of a configuration. */
import { findNodeAtLocation, parseTree, type Node } from 'jsonc-parser'
import { insertLast } from './insert.js'
import { parseJson } from '../files/parse.js'
import type { KeyConfig } from '../schema/schema.js'

export interface KeyAddition {
  readonly encoder: string
  readonly key: KeyConfig
  /** Of a new encoder; undefined leaves it to the default. */
  readonly role: string | undefined
  /** Of a new encoder; undefined leaves it to its name. */
  readonly leaseId?: string
}

export interface KeyAdded {
  readonly text: string
  readonly isNewEncoder: boolean
}

/** Text is inserted, nothing is replaced: whether the result is valid is the caller's to see. */
export function addKey(text: string, { encoder, key, role, leaseId }: KeyAddition): KeyAdded {
  // Says what is wrong with the text; parseTree alone would make something of anything.
  parseJson(text)
  const root = parseTree(text)
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
  // Something else stands where an object or a list should: the validation will say so.
  return { text, isNewEncoder: false }
}

function nodeAt(root: Node | undefined, path: string[]): Node | undefined {
  return root === undefined ? undefined : findNodeAtLocation(root, path)
}
