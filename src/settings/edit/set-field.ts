/** Gives a field of a configuration's text a value, and leaves all else as it is. */
import { applyEdits, findNodeAtLocation, modify, parseTree } from 'jsonc-parser'
import { insertLast } from './insert.js'
import { parseJson } from '../files/parse.js'

/**
 * A field that is there keeps its place; a new one goes to the end of its object.
 *
 * @param path of the object, such as `['encoders', 'alpha', 'keys', 0]`; it must exist
 */
export function setField(
  text: string,
  path: readonly (string | number)[],
  name: string,
  value: unknown,
): string {
  // Says what is wrong with the text; parseTree alone would make something of anything.
  parseJson(text)
  const root = parseTree(text)
  const object = root && findNodeAtLocation(root, [...path])
  // Something else stands where an object should: the validation will say so.
  if (object?.type !== 'object') return text
  const isThere = findNodeAtLocation(object, [name]) !== undefined
  return isThere
    ? applyEdits(text, modify(text, [...path, name], value, {}))
    : insertLast(text, object, { name, value })
}
