/** Reports the measurements: tables of figures, ratios, targets; for people, or as JSON. */
import { table } from '../../src/cli/text-table.js'

/** A number in its plain unit (seconds, bytes, or none), and how it is printed. */
export interface Figure {
  readonly value: number
  readonly text: string
}

export type Cell = string | Figure

export interface Section {
  readonly title: string
  /** A column without a name belongs to the one before it. */
  readonly header: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  readonly notes: readonly string[]
}

export const section = (
  title: string,
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  ...notes: readonly string[]
): Section => ({ title, header, rows, notes })

export function printed({ title, header, rows, notes }: Section): string {
  const said = notes.map((note) => `${note}\n`).join('')
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? cell : cell.text)))
  const below = said === '' ? '' : indented(`\n${said}`)
  return `\n${title}\n\n${indented(table(header, texts))}${below}`
}

/** For JSON: each row by the names of its columns, figures as numbers, without what is empty. */
export function plainly({ title, header, rows, notes }: Section): object {
  const names = header.map((name, n) => (name === '' ? `${header[n - 1] ?? ''} verdict` : name))
  const cells = (row: readonly Cell[]) =>
    row
      .map((cell, n) => [names[n] ?? '', typeof cell === 'string' ? cell : cell.value] as const)
      .filter(([, value]) => value !== '')
  return { title, rows: rows.map((row) => Object.fromEntries(cells(row))), notes }
}

/** The columns that say how a ratio stands to its target; two empty ones where there is none. */
export function judged(ratio: number | undefined, atMost: number | undefined): Cell[] {
  return verdict(ratio, atMost, '≤', (value, bound) => value <= bound)
}

export function judgedAtLeast(ratio: number | undefined, atLeast: number | undefined): Cell[] {
  return verdict(ratio, atLeast, '≥', (value, bound) => value >= bound)
}

/** @param of what it is a target for, where the table has several */
export const judgedHeader = (ratio: string, of = ''): string[] => [ratio, `${of}target`, '']

function verdict(
  value: number | undefined,
  bound: number | undefined,
  sign: string,
  isMet: (value: number, bound: number) => boolean,
): Cell[] {
  if (value === undefined) return ['', '', '']
  const ratio = fixed(value, 2)
  if (bound === undefined) return [ratio, '', '']
  return [ratio, `${sign} ${bound}`, isMet(value, bound) ? 'ok' : 'MISS']
}

export const fixed = (value: number, digits: number, unit = ''): Figure => ({
  value,
  text: `${value.toFixed(digits)}${unit}`,
})
export const micros = (seconds: number): Figure => ({
  value: seconds,
  text: `${(seconds * 1e6).toFixed(0)} µs`,
})
export const millis = (seconds: number): Figure => ({
  value: seconds,
  text: `${(seconds * 1e3).toFixed(1)} ms`,
})
export const megabytes = (bytes: number): Figure => ({
  value: bytes,
  text: `${(bytes / 1e6).toFixed(1)} MB`,
})

const indented = (text: string): string => text.replace(/^(?=.)/gm, '  ')
