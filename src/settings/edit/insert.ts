/** Puts one entry at the end of an object or list of a JSON text, and touches nothing else. */
import type { Node } from 'jsonc-parser'

/**
 * jsonc-parser's own `modify` re-formats the lines around an edit; here the text before and after
 * the inserted one stays as it is, byte for byte. The entry follows the style of its neighbours.
 */
export function insertLast(text: string, container: Node, entry: NewEntry): string {
  const last = container.children?.at(-1)
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  if (last === undefined) return insertOnly(text, container, entry, eol)
  const at = last.offset + last.length
  const onOwnLine = text.slice(container.offset, last.offset).includes('\n')
  if (!onOwnLine) return spliced(text, at, `,${spaced(text, container)}${oneLine(entry)}`)
  const indent = indentAt(text, last.offset)
  const value = last.type === 'property' ? (last.children?.at(1) ?? last) : last
  const valueText = text.slice(value.offset, value.offset + value.length)
  const compact =
    value.children?.length !== 0 && /^[[{]/.test(valueText) && !valueText.includes('\n')
  const written = compact ? oneLine(entry) : manyLines(entry, indent, unitOf(text), eol)
  return spliced(text, at, `,${eol}${indent}${written}`)
}

/** A list's item, or with a name an object's field. */
interface NewEntry {
  readonly name?: string
  readonly value: unknown
}

function insertOnly(text: string, container: Node, entry: NewEntry, eol: string): string {
  const at = container.offset + 1
  if (!text.trim().includes('\n')) return spliced(text, at, oneLine(entry))
  const outer = indentAt(text, container.offset)
  const inner = outer + unitOf(text)
  const open = text.slice(at, container.offset + container.length).includes('\n')
  const end = open ? '' : eol + outer
  return spliced(text, at, `${eol}${inner}${manyLines(entry, inner, unitOf(text), eol)}${end}`)
}

function manyLines({ name, value }: NewEntry, indent: string, unit: string, eol: string): string {
  const lines = JSON.stringify(value, null, unit).replaceAll('\n', eol + indent)
  return name === undefined ? lines : `${JSON.stringify(name)}: ${lines}`
}

/** With spaces, as people and prettier write it; only a minified file has none. */
function oneLine({ name, value }: NewEntry): string {
  const line = lineOf(value)
  return name === undefined ? line : `${JSON.stringify(name)}: ${line}`
}

function lineOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(lineOf).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).map(([name, field]) => oneLine({ name, value: field }))
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}

function spaced(text: string, container: Node): string {
  return /,\S/.test(text.slice(container.offset, container.offset + container.length)) ? '' : ' '
}

/** The white space that the line of this place begins with. */
function indentAt(text: string, offset: number): string {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1
  return /^[ \t]*/.exec(text.slice(lineStart, offset))?.[0] ?? ''
}

/** One level of indentation: that of the first line that has any. */
function unitOf(text: string): string {
  return /^[ \t]+(?=\S)/m.exec(text)?.[0] ?? '  '
}

function spliced(text: string, at: number, inserted: string): string {
  return text.slice(0, at) + inserted + text.slice(at)
}
