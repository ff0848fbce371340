/** `pinwarden pins apply`: carries out a plan at a bounded rate, and continues where it stopped. */
import type { Identity } from '../../admin/control.js'
import type { DecideJson, PlannedJson } from '../../admin/control-pins.js'
import { loadConfig } from '../../settings/load.js'
import { askControl } from '../ask-control.js'
import type { Io } from '../io.js'
import { UsageError } from '../report.js'
import { type ChangeAll, changeAll, sayEnd } from './change-all.js'
import { keepDone, type PlanKind, readDone, readPlan } from './plan-file.js'

export interface ApplyOptions {
  readonly configPath: string
  readonly file: string
  /** Lines a second; undefined: the usual one for the kind of plan. */
  readonly rate?: string
  /** Accept the changes that were made outside the gate. */
  readonly asIs?: boolean
}

/** A cluster without its pins has no other work. */
const usualRates: Readonly<Record<PlanKind, number>> = { release: 20, missing: 200, unexpected: 20 }

/** Repeating a line does no harm. */
export async function pinsApply(options: ApplyOptions, io: Io): Promise<number> {
  const { configPath, file, asIs = false } = options
  const given = rateOf(options.rate)
  const config = await loadConfig(configPath)
  const plan = await readPlan(file, isOfPlan)
  if (asIs && plan.kind === 'release')
    throw new UsageError(
      '--as-is is for plans of changes outside the gate',
      '--missing, --unexpected',
    )
  const { gateId = '-' } = (await askControl(config, 'GET', '/settings')) as Partial<Identity>
  const of = `${plan.digest} ${gateId} ${asIs ? 'as-is' : 'as-owed'}`
  const done = await readDone(file, of, io)
  // Before the first change, as a file that cannot be written is better known by then.
  await keepDone(file, of, done)
  if (done > 0) io.stderr.write(`continuing after ${done} of ${plan.count} lines\n`)
  const perSecond = given ?? usualRates[plan.kind]
  const minutes = Math.ceil((plan.count - done) / perSecond / 60)
  if (minutes > 1)
    io.stderr.write(`${minutes} minutes at ${perSecond} a second; --rate changes that\n`)
  const counts = await changeAll(
    config,
    {
      ...changeOf(plan.kind, asIs),
      items: behind(plan.lines(), done),
      total: plan.count,
      ...{
        perSecond,
        before: done,
        endsWithFault: true,
        goOn: 'run the same command again to continue',
      },
      onDone: (count) => keepDone(file, of, count),
    },
    io,
  )
  if (counts.size > 0) return sayEnd(counts, ['rejected'], io)
  io.stdout.write('nothing left to do\n')
  return 0
}

function rateOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const rate = /^\d{1,5}(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (rate >= 0.1 && rate <= 10_000) return rate
  throw new UsageError(`--rate ${text} is not a number of lines per second`, '0.1 to 10000')
}

async function* behind(lines: AsyncIterable<string>, done: number): AsyncGenerator<string> {
  let left = done
  for await (const line of lines) if (left-- <= 0) yield line
}

function changeOf(kind: PlanKind, isAsIs: boolean): Pick<ChangeAll<string>, 'path' | 'bodyOf'> {
  if (kind === 'release')
    return { path: '/release-planned', bodyOf: (lines) => lines.map(plannedIn) }
  const bodyOf = (lines: readonly string[]): DecideJson => ({
    right: isAsIs ? 'hand' : 'gate',
    rows: lines.map((line) => {
      const [cid = '', version = ''] = line.split(' ')
      return { cid, report: kind, version }
    }),
  })
  return { path: '/decide', bodyOf }
}

const leaseLine = /^(\S+) (\S+) (\d+) (\d+|-) (\S+)$/

const isOfPlan = (kind: PlanKind, line: string): boolean =>
  kind === 'release' ? leaseLine.test(line) : /^\S+ \S+$/.test(line)

function plannedIn(line: string): PlannedJson {
  const [, cid = '', holder = '', since, until, token = '-'] = leaseLine.exec(line) ?? []
  const untilMs = until === '-' ? null : Number(until)
  return { cid, holder, sinceMs: Number(since), untilMs, ...(token !== '-' && { token }) }
}
