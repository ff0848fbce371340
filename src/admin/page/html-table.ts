/** Tables that a phone shows as a card for each row. */
import { type Child, element, setChildren } from './element.js'
import { none } from './words.js'

export interface Column<Row> {
  readonly title: string
  /** Figures stand on the right. */
  readonly isFigure?: boolean
  /** Takes a line of its own where a row is a card. */
  readonly isWide?: boolean
  readonly cell: (row: Row) => Child
}

/**
 * @param table has its caption already; the first column names the row
 * @param key tells a row from the others
 */
export function fillTable<Row>(
  table: HTMLElement,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  key: (row: Row) => string,
): void {
  const body = table.querySelector('tbody') ?? element('tbody', { role: 'rowgroup' })
  if (!body.isConnected) {
    table.setAttribute('role', 'table')
    table.append(headOf(columns), body)
  }
  setChildren(
    body,
    rows.map((row) => rowOf(columns, row, key(row))),
  )
}

function classOf({ isFigure = false, isWide = false }: Column<never>) {
  const names = [...(isFigure ? ['figure'] : []), ...(isWide ? ['wide'] : [])]
  return names.length === 0 ? undefined : { class: names.join(' ') }
}

const headOf = <Row>(columns: readonly Column<Row>[]) =>
  element(
    'thead',
    { role: 'rowgroup' },
    element(
      'tr',
      { role: 'row' },
      ...columns.map((column) =>
        element('th', { scope: 'col', role: 'columnheader', ...classOf(column) }, column.title),
      ),
    ),
  )

function rowOf<Row>(columns: readonly Column<Row>[], row: Row, key: string): HTMLElement {
  const cells = columns.map((column, index) => {
    const { title, cell } = column
    if (index === 0) return element('th', { scope: 'row', role: 'rowheader' }, cell(row))
    const content = cell(row)
    const { class: names = '' } = classOf(column) ?? {}
    const kinds = content === none ? `${names} none` : names
    return element('td', { role: 'cell', 'data-title': title, class: kinds }, content)
  })
  return element('tr', { role: 'row', 'data-key': key }, ...cells)
}
