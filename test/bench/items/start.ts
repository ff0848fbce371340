/** Item 11: how soon it answers after it was started, and what it takes when nothing is asked. */
import { setTimeout } from 'node:timers/promises'
import type { Bench, Start } from '../bench.js'
import { median } from '../measure.js'
import { rssOf } from '../proc.js'
import { type Cell, fixed, megabytes, type Section, section } from '../report.js'

const readyMost = 0.5
const idleMost = 90e6
/** The gate collects the garbage of its start after some seconds. */
const idleMs = 7000

export async function start(bench: Bench): Promise<Section[]> {
  const found: Cell[][] = []
  // No request or answer comes meanwhile.
  bench.sandbox.cores = 'all'
  for (const each of [bench.gate(), ...bench.nginx('ssha'), ...bench.caddy(), bench.plain()])
    found.push(await started(bench, each))
  bench.sandbox.cores = 'first'
  const header = ['program', 'start to ready', '', 'idle memory', '']
  return [section('11. Start, and idle', header, found)]
}

async function started(bench: Bench, start: Start): Promise<Cell[]> {
  const seen: { name: string; readyMs: number; idle: number }[] = []
  for (let n = 0; n < bench.sizes.starts; n++)
    await bench.with([start], async ([program]) => {
      if (program === undefined) return
      const { name, readyMs, pid } = program
      await setTimeout(idleMs)
      seen.push({ name, readyMs, idle: rssOf(pid) })
    })
  const name = seen[0]?.name ?? ''
  const ready = median(seen.map(({ readyMs }) => readyMs)) / 1000
  const idle = median(seen.map((each) => each.idle))
  const isOurs = name === 'pinwarden'
  const verdict = (isMet: boolean, target: string): string =>
    isOurs ? `< ${target} ${isMet ? 'ok' : 'MISS'}` : ''
  return [
    ...[name, fixed(ready, 2, ' s'), verdict(ready < readyMost, `${readyMost} s`)],
    ...[megabytes(idle), verdict(idle < idleMost, megabytes(idleMost).text)],
  ]
}
