/** Item 9: many listings at once. */
import { setTimeout } from 'node:timers/promises'
import type { Bench } from '../bench.js'
import { checksumOf, readListing } from '../load/listing.js'
import { spent } from '../measure.js'
import { peakOf, resetPeak, rssOf } from '../proc.js'
import type { Program } from '../programs/program.js'
import { fixed, judged, judgedHeader, megabytes, type Section, section } from '../report.js'
import { nginxNote } from './listings.js'

const growthMost = 25e6
/** Long enough that who comes at the same time shares, and over by the next measurement. */
const maxAgeMs = 1000

export async function crowd(bench: Bench): Promise<Section[]> {
  const { sizes } = bench
  const starts = [bench.gate({ maxAgeMs }), ...bench.nginx('ssha')]
  const eight = await bench.with(starts, (programs) =>
    together(bench, programs, 8, sizes.listingLines),
  )
  const fifty = await bench.with(starts, (programs) =>
    together(bench, programs, 50, sizes.crowdLines),
  )
  return [eight, fifty]
}

async function together(
  { upstream }: Bench,
  programs: readonly Program[],
  clients: number,
  lines: number,
): Promise<Section> {
  const found = []
  for (const program of programs) {
    await checksumOf(program, await upstream.setListing(Math.ceil(lines / 10), 'encoded'))
    await setTimeout(maxAgeMs + 500)
    const bytes = await upstream.setListing(lines, 'encoded')
    const { pid, name } = program
    resetPeak(pid)
    const before = rssOf(pid)
    const { cpu, seconds } = await spent(pid, () =>
      Promise.all(Array.from({ length: clients }, () => readListing(program, bytes))),
    )
    const growth = Math.max(0, peakOf(pid) - before)
    found.push({ name, cpu, seconds, growth, bytes, asked: await upstream.listingsAsked() })
  }
  const [ours] = found
  const rows = found.map(({ name, cpu, seconds, growth, bytes, asked }) => {
    const isOurs = name === ours?.name
    return [
      ...[name, fixed(cpu, 2, ' s')],
      ...judged(isOurs ? undefined : (ours?.cpu ?? NaN) / cpu, 0.4),
      fixed((bytes * clients) / 1e6 / seconds, 0),
      fixed(asked, 0),
      isOurs ? `= 1 ${asked === 1 ? 'ok' : 'MISS'}` : '',
      ...[megabytes(growth), isOurs ? grown(growth) : ''],
    ]
  })
  const cpuHeader = ['program', 'CPU in all', ...judgedHeader('ours/its')]
  const header = [...cpuHeader, 'MB/s in all', 'upstream asked', '', 'memory growth', '']
  const each = megabytes(found[0]?.bytes ?? NaN).text
  const title = `9. ${clients} listings at once, of ${each} each, flushed line by line`
  return section(title, header, rows, nginxNote)
}

/** The verdict on how much memory it took. */
export const grown = (bytes: number): string =>
  `≤ ${megabytes(growthMost).text} ${bytes <= growthMost ? 'ok' : 'MISS'}`
