/** Inserts or removes an entry of an object or list in a text, and changes nothing else. */
import type { Node } from 'jsonc-parser'

/**
 * jsonc-parser's own `modify` re-formats the lines around an edit; this keeps the text before and
 * after the entry, byte for byte. The entry follows the style of its neighbours.
 */
export function insertLast(text: string, container: Node, entry: NewEntry): string {
  const last = container.children?.at(-1)
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  if (last === undefined) return insertOnly(text, container, entry, eol)
  const at = endOf(last)
  const comma = commaAfter(text, at)
  const onOwnLine = text.slice(container.offset, last.offset).includes('\n')
  const indent = indentAt(text, last.offset)
  const value = last.type === 'property' ? (last.children?.at(1) ?? last) : last
  const valueText = text.slice(value.offset, endOf(value))
  const compact =
    value.children?.length !== 0 && /^[[{]/.test(valueText) && !valueText.includes('\n')
  const written =
    compact || !onOwnLine ? oneLine(entry) : manyLines(entry, indent, unitOf(text), eol)
  const gap = onOwnLine ? eol + indent : spaced(text, container)
  // A comment after the last entry belongs to that entry, and a file that ends lists with a comma
  // also gets one after the new entry.
  const rest = comma === undefined ? at : comma + 1
  const place = onOwnLine ? commentsEnd(text, rest) : rest
  const joined = comma === undefined ? spliced(text, at, ',') : text
  return comma === undefined
    ? spliced(joined, place + 1, gap + written)
    : spliced(joined, place, `${gap}${written},`)
}

/** Also removes the entry's comma, and its line if nothing else is on it; comments stay. */
export function withoutEntry(text: string, container: Node, entry: Node): string {
  const entries = container.children ?? []
  const index = entries.indexOf(entry)
  const [before, after] = [entries[index - 1], entries[index + 1]]
  const [from, to] =
    before !== undefined
      ? [endOf(before), endOf(entry)]
      : after !== undefined
        ? [entry.offset, after.offset]
        : [container.offset + 1, endOf(container) - 1]
  const others = text.slice(from, entry.offset) + text.slice(endOf(entry), to)
  if (/^[\s,]*$/.test(others)) return cut(text, from, to)
  const comma = commaAfter(text, endOf(entry))
  if (comma !== undefined) return cutLine(cut(text, comma, comma + 1), entry.offset, endOf(entry))
  const alone = cutLine(text, entry.offset, endOf(entry))
  const former = before && commaAfter(text, endOf(before))
  return former === undefined ? alone : cut(alone, former, former + 1)
}

const endOf = ({ offset, length }: Node): number => offset + length

const cut = (text: string, from: number, to: number): string => text.slice(0, from) + text.slice(to)

/** The range of the whole line, if nothing else is on it. */
function cutLine(text: string, from: number, to: number): string {
  const head = /(?:^|\n)([ \t]*)$/.exec(text.slice(0, from))
  const tail = /^[ \t]*(?:\r?\n|$)/.exec(text.slice(to))
  if (head === null || tail === null) return cut(text, from, to)
  return cut(text, from - (head[1] ?? '').length, to + tail[0].length)
}

/** The following comma, perhaps after comments. */
function commaAfter(text: string, at: number): number | undefined {
  const end = at + lengthOf(/(?:\s|\/\/.*|\/\*[^]*?\*\/)*/y, text, at)
  return text[end] === ',' ? end : undefined
}

/** The end of the comments that follow on the same line. */
const commentsEnd = (text: string, at: number): number =>
  at + lengthOf(/(?:[ \t]*(?:\/\/.*|\/\*.*?\*\/))*/y, text, at)

/** @param pattern sticky */
function lengthOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0].length ?? 0
}

/** An item of a list, or with a name a field of an object. */
interface NewEntry {
  readonly name?: string
  readonly value: unknown
}

function insertOnly(text: string, container: Node, entry: NewEntry, eol: string): string {
  const at = container.offset + 1
  const comments = text.slice(at, endOf(container) - 1).trimEnd()
  if (comments.trim() !== '') {
    const isLine = comments.includes('\n') || comments.includes('//')
    const gap = isLine ? eol + indentAt(text, container.offset) + unitOf(text) : ' '
    return spliced(text, at + comments.length, gap + oneLine(entry))
  }
  if (!text.trim().includes('\n')) return spliced(text, at, oneLine(entry))
  const outer = indentAt(text, container.offset)
  const inner = outer + unitOf(text)
  const open = text.slice(at, endOf(container)).includes('\n')
  const end = open ? '' : eol + outer
  return spliced(text, at, `${eol}${inner}${manyLines(entry, inner, unitOf(text), eol)}${end}`)
}

function manyLines({ name, value }: NewEntry, indent: string, unit: string, eol: string): string {
  const lines = JSON.stringify(value, null, unit).replaceAll('\n', eol + indent)
  return name === undefined ? lines : `${JSON.stringify(name)}: ${lines}`
}

/** Adds spaces, as people and prettier do, unless the file is minified. */
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
  return /,\S/.test(text.slice(container.offset, endOf(container))) ? '' : ' '
}

/** The white space at the beginning of the line. */
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
