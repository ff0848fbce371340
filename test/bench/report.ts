/** How what was measured is printed: tables, ratios, targets. */
import { table } from '../../src/cli/table.js'

/** The columns that say how a ratio stands to its target; two empty ones where there is none. */
export function judged(ratio: number | undefined, atMost: number | undefined): string[] {
  return verdict(ratio, atMost, '≤', (value, bound) => value <= bound)
}

export function judgedAtLeast(ratio: number | undefined, atLeast: number | undefined): string[] {
  return verdict(ratio, atLeast, '≥', (value, bound) => value >= bound)
}

export const judgedHeader = (ratio: string): string[] => [ratio, 'target', '']

function verdict(
  value: number | undefined,
  bound: number | undefined,
  sign: string,
  isMet: (value: number, bound: number) => boolean,
): string[] {
  if (value === undefined) return ['', '', '']
  if (bound === undefined) return [value.toFixed(2), '', '']
  return [value.toFixed(2), `${sign} ${bound}`, isMet(value, bound) ? 'ok' : 'MISS']
}

export function section(
  title: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
  ...notes: readonly string[]
): string {
  const said = notes.map((note) => `${note}\n`).join('')
  return `\n${title}\n\n${indented(table(header, rows))}${said === '' ? '' : indented(`\n${said}`)}`
}

export const micros = (seconds: number): string => `${(seconds * 1e6).toFixed(0)} µs`
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

const indented = (text: string): string => text.replace(/^(?=.)/gm, '  ')
