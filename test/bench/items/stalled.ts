/** Item 10: clients that stop reading in the middle of a listing. */
import { setTimeout } from 'node:timers/promises'
import type { Bench } from '../bench.js'
import { checksumOf, stopAt } from '../load/listing.js'
import { peakOf, resetPeak, rssOf } from '../proc.js'
import { type Cell, megabytes, type Section, section } from '../report.js'
import { grown } from './crowd.js'
import { nginxNote } from './listings.js'

const clients = 8
/** After the last one has stopped. */
const lookMs = 4000

export async function stalled(bench: Bench): Promise<Section[]> {
  const { upstream, sizes } = bench
  const starts = [
    bench.gate({ maxAgeMs: 1 }),
    ...bench.nginx('ssha'),
    ...bench.caddy(),
    bench.plain(),
  ]
  return bench.with(starts, async (programs) => {
    const rows: Cell[][] = []
    for (const program of programs) {
      const { name, pid } = program
      await checksumOf(
        program,
        await upstream.setListing(Math.ceil(sizes.listingLines / 10), 'line'),
      )
      await setTimeout(500)
      const bytes = await upstream.setListing(sizes.listingLines, 'line')
      resetPeak(pid)
      const before = rssOf(pid)
      const stopped = await Promise.all(
        Array.from({ length: clients }, () => stopAt(program, bytes / 2)),
      )
      await setTimeout(lookMs)
      const growth = Math.max(0, peakOf(pid) - before)
      for (const connection of stopped) connection.close()
      rows.push([
        ...[name, megabytes(before), megabytes(growth)],
        name === 'pinwarden' ? grown(growth) : '',
      ])
    }
    const title = `10. ${clients} clients that stop in the middle of a listing`
    return [section(title, ['program', 'memory before', 'growth', ''], rows, nginxNote)]
  })
}
