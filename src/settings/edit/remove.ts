/** Takes a key, or an encoder with all of its keys, out of the text of a configuration. */
import { applyEdits, findNodeAtLocation, modify, parseTree } from 'jsonc-parser'
import { configFrom } from '../load.js'

/**
 * The rest of the text stays as it is, but for the comma and the line that the key stood on.
 *
 * @returns undefined when the encoder has no such key
 */
export function removeKey(text: string, encoder: string, id: string): string | undefined {
  const keys = configFrom(text).encoders[encoder]?.keys ?? []
  const index = keys.findIndex((key) => key.id === id)
  if (index < 0) return undefined
  return withoutItem(text, ['encoders', encoder, 'keys'], index)
}

/** The same for an encoder; undefined when there is none of this name. */
export function removeEncoder(text: string, encoder: string): string | undefined {
  if (!Object.hasOwn(configFrom(text).encoders, encoder)) return undefined
  return applyEdits(text, modify(text, ['encoders', encoder], undefined, {}))
}

/** `modify` takes the last item of a list to have white space behind it, and cuts elsewhere. */
function withoutItem(text: string, path: string[], index: number): string {
  const root = parseTree(text)
  const list = root && findNodeAtLocation(root, path)
  const items = list?.children ?? []
  const [item, before, after] = [items[index], items[index - 1], items[index + 1]]
  if (list === undefined || item === undefined) return text
  const cut = (from: number, to: number) => text.slice(0, from) + text.slice(to)
  if (before !== undefined) return cut(before.offset + before.length, item.offset + item.length)
  if (after !== undefined) return cut(item.offset, after.offset)
  return cut(list.offset + 1, list.offset + list.length - 1)
}
