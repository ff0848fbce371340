/** `pinwarden pins apply`: does what a plan says, no faster than told, and goes on where it was. */
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import type { Done, PlannedJson } from '../../admin/control.js'
import { loadConfig } from '../../settings/load.js'
import { askControl } from '../ask-control.js'
import type { Io } from '../io.js'
import { CommandError, UsageError } from '../report.js'
import { linesOf } from '../tail/follow.js'

export interface ApplyOptions {
  readonly configPath: string
  readonly file: string
  /** Leases a second. */
  readonly rate: string
}

/** The lines that are done are counted in `PLAN.done`: what is done twice does no harm. */
export async function pinsApply({ configPath, file, rate }: ApplyOptions, io: Io): Promise<number> {
  const perSecond = rateOf(rate)
  const config = await loadConfig(configPath)
  const progress = `${file}.done`
  let done = await doneIn(progress)
  if (done > 0) io.stderr.write(`going on after ${done} lines that are done\n`)
  const counts = new KeyedCounter()
  // At least ten steps a second, so that the pace is even.
  const batchMax = Math.max(1, Math.ceil(perSecond / 10))
  let [line, batch] = [0, [] as PlannedJson[]]
  const tell = async (): Promise<void> => {
    if (batch.length === 0) return
    const startMs = performance.now()
    const results = (await askControl(config, 'POST', '/release', batch)) as readonly Done[]
    for (const { cid, outcome, message } of results) {
      counts.add(outcome)
      if (outcome === 'failed') throw new CommandError(`${cid}: ${message ?? outcome}`, again)
    }
    done += batch.length
    await writeFile(progress, `${done}\n`)
    const spareMs = (batch.length / perSecond) * 1000 - (performance.now() - startMs)
    batch = []
    if (spareMs > 0) await setTimeout(spareMs)
  }
  for await (const text of linesOf(createReadStream(file))) {
    if (++line <= done || text === '') continue
    batch.push(plannedIn(text, line))
    if (batch.length === batchMax) await tell()
  }
  await tell()
  const words = [...counts].map(([outcome, count]) => `${count} ${outcome}`)
  io.stdout.write(`${words.length === 0 ? 'nothing left to do' : words.join(', ')}\n`)
  return 0
}

const again = 'the same command goes on with it'

function rateOf(text: string): number {
  const rate = /^\d{1,4}(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (rate >= 0.1 && rate <= 1000) return rate
  throw new UsageError(`--rate ${text} is no number of leases a second`, '0.1 to 1000')
}

async function doneIn(progress: string): Promise<number> {
  try {
    return Number(await readFile(progress, 'utf8')) || 0
  } catch {
    return 0
  }
}

function plannedIn(text: string, line: number): PlannedJson {
  const form = /^(\S+) (\S+) (\d+) (\d+|-)(?: (\S+))?$/
  const [, cid = '', holder = '', since, until, token = '-'] = form.exec(text) ?? []
  if (since === undefined) throw new CommandError(`line ${line} is none of a plan`)
  const untilMs = until === '-' ? null : Number(until)
  return { cid, holder, sinceMs: Number(since), untilMs, ...(token !== '-' && { token }) }
}
