/** The table of the latest refusals and failures. */
import type { ActivityReport, TroubleReport } from '../activity-report.js'
import { byId, element } from './element.js'
import { type Column, fillTable } from './html-table.js'
import { timeText } from './words.js'

type Row = TroubleReport & { readonly now: number }

export function showTroubles({ troubles, now }: ActivityReport): void {
  const rows = troubles.map((trouble) => ({ ...trouble, now }))
  fillTable(byId('troubles'), columns, rows, ({ id, time }) => `${id} ${timeText(time, now)}`)
}

const columns: readonly Column<Row>[] = [
  { title: 'Time', cell: timeCell },
  { title: 'Who', cell: ({ encoder, client }) => encoder ?? client },
  {
    title: 'Request',
    isWide: true,
    cell: ({ method, path }) => element('code', {}, `${method} ${path}`),
  },
  { title: 'Status', isFigure: true, cell: ({ status }) => String(status) },
  { title: 'Why', cell: whyCell },
  { title: 'Id', cell: ({ id }) => element('code', {}, id) },
]

function timeCell({ time, now }: Row) {
  return element('time', { datetime: new Date(time).toISOString() }, timeText(time, now))
}

function whyCell({ outcome, reason }: Row) {
  return outcome === 'refused' ? reason : element('strong', { class: 'alarm' }, reason)
}
