/** `pinwarden pins restore` and `pins adopt`: told to the daemon, which changes pins one by one. */
import { createReadStream } from 'node:fs'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import type { Done } from '../../admin/control.js'
import { loadConfig } from '../../settings/load.js'
import type { Config } from '../../settings/schema/schema.js'
import { askControl } from '../ask-control.js'
import type { Io } from '../io.js'
import { readLogLine } from '../log-file.js'
import { CommandError, UsageError } from '../report.js'
import { linesOf } from '../tail/follow.js'

export interface RestoreOptions {
  readonly configPath: string
  readonly cid: string
}

export async function pinsRestore({ configPath, cid }: RestoreOptions, io: Io): Promise<number> {
  const config = await loadConfig(configPath)
  const done = (await askControl(config, 'POST', '/restore', { cid })) as Done
  if (done.outcome === 'restored' || done.outcome === 'held-already') {
    io.stdout.write(`${done.cid}: ${done.outcome}\n`)
    return 0
  }
  throw new CommandError(`${cid}: ${done.message ?? done.outcome}`, hints.get(done.outcome))
}

const hints = new Map<string, string>([
  ['not-pinned', 'the grace is over, or there was none: who has the data can pin it again'],
])

export interface AdoptOptions {
  readonly configPath: string
  readonly encoder: string
  /** A CID a line; `-` is standard input. */
  readonly cids?: string
  /** An access log of the daemon's. */
  readonly fromLog?: string
}

/** So many are told at once: the daemon changes them one after the other. */
const batchMax = 100

export async function pinsAdopt(options: AdoptOptions, io: Io): Promise<number> {
  const { configPath, encoder, cids, fromLog } = options
  if ((cids === undefined) === (fromLog === undefined))
    throw new UsageError('pins adopt takes one of --cids and --from-log')
  const config = await loadConfig(configPath)
  const wanted =
    fromLog === undefined ? cidsIn(linesIn(cids ?? '-', io)) : await pinnedIn(fromLog, encoder, io)
  const counts = new KeyedCounter()
  let batch: string[] = []
  const tell = async (): Promise<void> => {
    if (batch.length === 0) return
    await adopt(config, encoder, batch, counts, io)
    batch = []
  }
  for await (const cid of wanted) {
    batch.push(cid)
    if (batch.length === batchMax) await tell()
  }
  await tell()
  const words = [...counts].map(([outcome, count]) => `${count} ${outcome}`)
  io.stdout.write(`${words.length === 0 ? 'nothing to adopt' : words.join(', ')}\n`)
  return counts.of('failed') + counts.of('bad-cid') === 0 ? 0 : 1
}

async function adopt(
  config: Config,
  encoder: string,
  cids: readonly string[],
  counts: KeyedCounter,
  io: Io,
): Promise<void> {
  const done = (await askControl(config, 'POST', '/adopt', { encoder, cids })) as readonly Done[]
  for (const { cid, outcome, message } of done) {
    counts.add(outcome)
    if (outcome !== 'adopted' && outcome !== 'held-already')
      io.stderr.write(`${cid}: ${message ?? outcome}\n`)
  }
}

const linesIn = (file: string, io: Io): AsyncGenerator<string> =>
  linesOf(file === '-' ? (io.stdin ?? []) : createReadStream(file))

async function* cidsIn(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) if (line.trim() !== '') yield line.trim()
}

/** What it pinned, and did not unpin afterwards. */
async function pinnedIn(file: string, encoder: string, io: Io): Promise<Iterable<string>> {
  const pinned = new Set<string>()
  for await (const text of linesIn(file, io)) {
    const line = readLogLine(text)
    if (line?.encoder !== encoder || line.status !== 200 || line.cid === undefined) continue
    if (line.permission === 'pin') pinned.add(line.cid)
    if (line.permission === 'unpin') pinned.delete(line.cid)
  }
  return pinned
}
