/** Lays out rows in columns as wide as their widest cell. */

/** One line a row, the header first; the last column is not padded. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) => widest(all, column))
  return all
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
    .map((cells) => `${cells.join('  ').trimEnd()}\n`)
    .join('')
}

/** With a loop, as a spread of so many arguments would not fit on the stack. */
function widest(rows: readonly (readonly string[])[], column: number): number {
  return rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0)
}
