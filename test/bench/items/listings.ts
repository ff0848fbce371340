/** Items 7 and 8: one whole listing at a time, flushed line by line and in large pieces. */
import type { Bench } from '../bench.js'
import { checksumOf, readListing } from '../load/listing.js'
import { byTurns, median, medianRatio, spent } from '../measure.js'
import {
  fixed,
  judged,
  judgedAtLeast,
  judgedHeader,
  megabytes,
  type Section,
  section,
} from '../report.js'
import type { Flushing } from '../upstream-answers.js'

export async function listingByLine(bench: Bench): Promise<Section[]> {
  const targets = [{ 'nginx ssha': 0.5 }, { 'nginx ssha': 1.7 }] as const
  const encoded = '7. GET /pins, flushed line by line, 2 µs to encode each'
  const fast = '7. The same as fast as it can be written, where many lines arrive as one'
  return [
    await listings(bench, encoded, 'encoded', ...targets),
    await listings(bench, fast, 'line', {}, {}),
  ]
}

export async function listingInBlocks(bench: Bench): Promise<Section[]> {
  const title = '8. GET /pins, in pieces of 64 KiB'
  return [await listings(bench, title, 'block', { 'nginx ssha': 1.5 }, {})]
}

type Targets = Readonly<Record<string, number>>

async function listings(
  bench: Bench,
  title: string,
  flushing: Flushing,
  cpuTargets: Targets,
  speedTargets: Targets,
): Promise<Section> {
  const { upstream, sizes } = bench
  const starts = [
    bench.gate({ maxAgeMs: 0 }),
    ...bench.nginx('ssha'),
    ...bench.caddy(),
    bench.plain(),
  ]
  return bench.with(starts, async (programs) => {
    const direct = { name: 'the upstream itself', port: upstream.port, credential: 'a:b' }
    const shortBytes = await upstream.setListing(Math.ceil(sizes.listingLines / 10), flushing)
    const sum = await checksumOf(direct, shortBytes)
    for (const program of programs)
      if ((await checksumOf(program, shortBytes)) !== sum)
        throw new Error(`${program.name}: not the listing of the upstream`)

    const bytes = await upstream.setListing(sizes.listingLines, flushing)
    const startMs = performance.now()
    await readListing(direct, bytes)
    const directSpeed = bytes / (performance.now() - startMs) / 1000
    const all = await byTurns(programs, sizes.listingRounds, (program) =>
      spent(program.pid, () => readListing(program, bytes)),
    )
    const found = programs.map(({ name }, n) => ({
      name,
      cpus: (all[n] ?? []).map(({ cpu }) => cpu / (bytes / 1e9)),
      speeds: (all[n] ?? []).map(({ seconds }) => bytes / 1e6 / seconds),
    }))
    const [ours] = found
    const rows = found.map(({ name, cpus, speeds }) => {
      const isOurs = ours === undefined || ours.name === name
      const cpuRatio = isOurs ? undefined : medianRatio(ours.cpus, cpus)
      const speedRatio = isOurs ? undefined : medianRatio(ours.speeds, speeds)
      return [
        ...[name, fixed(median(cpus), 2, ' s'), ...judged(cpuRatio, cpuTargets[name])],
        ...[fixed(median(speeds), 0), ...judgedAtLeast(speedRatio, speedTargets[name])],
      ]
    })
    const header = [
      ...['program', 'CPU/GB', ...judgedHeader('CPU ours/its')],
      ...['MB/s', ...judgedHeader('MB/s ours/its', 'MB/s ')],
    ]
    const size = `${megabytes(bytes).text}; the upstream itself: ${directSpeed.toFixed(0)} MB/s`
    return section(title, header, rows, size, nginxNote)
  })
}

export const nginxNote = 'nginx: proxy_buffering on (default), proxy_max_temp_file_size 0'
