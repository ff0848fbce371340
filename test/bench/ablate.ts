/**
 * `npm run bench -- --ablate NAME`: what a trick that the code keeps for speed is worth. The build
 * is copied, the trick is taken out of the copy, and the two gates are measured by turns.
 */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout } from 'node:timers/promises'
import type { Bench, Start } from './bench.js'
import { costTable } from './items/cost-table.js'
import { costs } from './items/load-cost.js'
import { readListing } from './load/listing.js'
import { getRequests, pinRequests } from './load/requests.js'
import { byTurns, median, medianRatio, spent } from './measure.js'
import type { Program } from './programs/program.js'
import { rssOf } from './proc.js'
import { fixed, megabytes, type Section, section } from './report.js'

interface Trick {
  readonly what: string
  /** Of the build, below its `src`. */
  readonly file: string
  /** What stands there, and what takes its place. */
  readonly edits: readonly (readonly [from: string, to: string])[]
  readonly measure: (bench: Bench, starts: readonly Start[]) => Promise<Section>
}

const requestCost =
  (what: 'id' | 'pin', connections = 64) =>
  (bench: Bench, starts: readonly Start[]): Promise<Section> =>
    bench.with(starts, async (programs) => {
      const subjects = programs.map(({ name, pid, port, credential }) => {
        const requests =
          what === 'id' ? getRequests('/id', [{ credential }]) : pinRequests({ credential })
        return { pid, load: { name, port, requests, connections, status: 200 } }
      })
      return costTable(`CPU of ${what}`, await costs(bench, subjects), {})
    })

async function listingCost(bench: Bench, starts: readonly Start[]): Promise<Section> {
  const bytes = await bench.upstream.setListing(bench.sizes.listingLines, 'encoded')
  return bench.with(starts, async (programs) => {
    const all = await byTurns(programs, bench.sizes.listingRounds, (program) =>
      spent(program.pid, () => readListing(program, bytes)),
    )
    const perGb = all.map((rounds) => rounds.map(({ cpu }) => cpu / (bytes / 1e9)))
    const rows = programs.map(({ name }, n) => [
      ...[name, fixed(median(perGb[n] ?? []), 2, ' s')],
      n === 0 ? '' : fixed(medianRatio(perGb[0] ?? [], perGb[n] ?? []), 2),
    ])
    return section('CPU of a listing, per GB', ['program', 'CPU/GB', 'ours/its'], rows)
  })
}

const idleMs = 7000

function idleMemory(bench: Bench, starts: readonly Start[]): Promise<Section> {
  return bench.with(starts, async (programs: readonly Program[]) => {
    await setTimeout(idleMs)
    const rows = programs.map(({ name, pid }) => [name, megabytes(rssOf(pid))])
    return section('Memory while idle', ['program', 'memory'], rows)
  })
}

const tricks: Readonly<Record<string, Trick>> = {
  'read-coalescing': {
    what: 'sockets that wait a millisecond behind a small read',
    file: 'cluster/pools.js',
    edits: [['const isPlainTcp = ', 'const isPlainTcp = false && ']],
    measure: listingCost,
  },
  'one-write': {
    what: 'head and body in one write, and the end in the next turn',
    file: 'gate/forward/relay.js',
    edits: [['process.nextTick(() => raw.end())', 'raw.end()']],
    measure: requestCost('id'),
  },
  'time-cache': {
    what: 'the time spelled once a millisecond',
    file: 'log/log.js',
    edits: [['if (nowMs !== spelledMs) ', '']],
    measure: requestCost('id'),
  },
  'log-batch': {
    what: 'lines that wait 10 ms for others',
    file: 'log/log-sink.js',
    edits: [['const gatherMs = 10', 'const gatherMs = 0']],
    measure: requestCost('id', 1),
  },
  'record-pipelining': {
    what: 'records read one behind the other over two connections',
    file: 'cluster/pools.js',
    edits: [
      ['const recordConnections = 2', 'const recordConnections = 64'],
      ['const recordsAhead = 32', 'const recordsAhead = 1'],
    ],
    measure: requestCost('pin'),
  },
  'gathering-writes': {
    what: 'reads of records of one turn in one write',
    file: 'cluster/prepared-socket.js',
    edits: [['if (!isGathering) {', 'if (false) {']],
    measure: requestCost('pin'),
  },
  'release-memory': {
    what: 'a collection of garbage after the start',
    file: 'ledger/storage/release-memory.js',
    edits: [['async function releaseMemory() {', 'async function releaseMemory() {\n  return;']],
    measure: idleMemory,
  },
}

export const trickNames = Object.keys(tricks)

/** @throws when there is no such trick, or the build does not have it */
export async function ablated(bench: Bench, name: string): Promise<Section[]> {
  const trick = tricks[name]
  if (trick === undefined) throw new Error(`--ablate takes one of ${trickNames.join(', ')}`)
  const bin = copyWithout(bench, name, trick)
  const maxAgeMs = 0
  const starts = [bench.gate({ maxAgeMs }), bench.gate({ maxAgeMs, bin }, `without ${name}`)]
  const found = await trick.measure(bench, starts)
  return [{ ...found, title: `${found.title}: ${trick.what}` }]
}

/** @returns the copy's program */
function copyWithout({ sandbox }: Bench, name: string, { file, edits }: Trick): string {
  const built = fileURLToPath(new URL('../../src', import.meta.url))
  const top = dirname(dirname(built))
  const room = sandbox.room(`without ${name}`)
  cpSync(built, join(room, 'dist/src'), { recursive: true })
  for (const each of ['package.json', 'config.schema.json'])
    cpSync(join(top, each), join(room, each))
  symlinkSync(join(top, 'node_modules'), join(room, 'node_modules'))
  const path = join(room, 'dist/src', file)
  let text = readFileSync(path, 'utf8')
  for (const [from, to] of edits) {
    if (!text.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)}`)
    text = text.replace(from, to)
  }
  writeFileSync(path, text)
  return join(room, 'dist/src/main.js')
}
