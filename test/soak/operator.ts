/** Operations on the daemon and its cluster meanwhile: reloads, a moved log, faults. */
import { existsSync, renameSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { SeededRng } from './seeded-rng.js'
import type { SoakCluster } from './cluster.js'
import type { SoakDaemon } from './daemon.js'
import type { Expectations } from './expectations.js'
import type { Judge } from './judge.js'
import type { Ledger } from './ledger.js'
import type { LogCheck } from './log-check.js'
import { guest } from './questions.js'
import { type Places, trusted, writeSettings } from './settings.js'
import type { Trouble, TroubleHistory } from './troubles.js'
import { Wire } from './wire.js'

const reloadEveryMs = 7000
const reopenEveryMs = 15_000
const calmMs = [4000, 9000] as const
const troubleMs = [1000, 2500] as const
const waitMs = 10_000

export interface Operation {
  readonly places: Places
  readonly daemon: SoakDaemon
  readonly cluster: SoakCluster
  readonly rng: SeededRng
  readonly ledger: Ledger
  readonly judge: Judge
  readonly history: TroubleHistory
  readonly expectations: Expectations
  readonly logCheck: LogCheck
  readonly troubles: readonly Trouble[]
}

export class Operator {
  reloads = 0
  reopenings = 0
  private hasGuest = false
  private next = 0

  constructor(private readonly operation: Operation) {}

  /** Works until the signal; the cluster is well then, and nothing is half done. */
  async work(signal: AbortSignal): Promise<void> {
    await Promise.all([
      every(reloadEveryMs, signal, () => this.reload()),
      every(reopenEveryMs, signal, () => this.reopen()),
      this.trouble(signal),
    ])
  }

  private async trouble(signal: AbortSignal): Promise<void> {
    const { cluster, rng, history, troubles } = this.operation
    while (await pause(rng.between(...calmMs), signal)) {
      // Each in its turn, so that a run of some minutes has them all.
      const trouble = troubles[this.next++ % troubles.length]
      if (trouble === undefined) return
      history.begin(trouble)
      await cluster.tell({ kind: 'trouble', trouble })
      await pause(rng.between(...troubleMs), signal)
      await cluster.tell({ kind: 'trouble', trouble: undefined })
      history.end()
    }
  }

  /** Gives the guest a key, or takes it; it must be in force soon. */
  private async reload(): Promise<void> {
    const { places, daemon, expectations, ledger } = this.operation
    this.hasGuest = !this.hasGuest
    expectations.note(undefined)
    writeSettings(places, this.hasGuest)
    daemon.kill('SIGHUP')
    const startMs = performance.now()
    while ((await this.isGuestKnown()) !== this.hasGuest) {
      if (performance.now() - startMs > waitMs) {
        ledger.wrong(`settings are not in force ${waitMs} ms after SIGHUP`)
        return
      }
      await setTimeout(20)
    }
    expectations.note(this.hasGuest)
    this.reloads++
  }

  private async isGuestKnown(): Promise<boolean> {
    const { daemon, rng, ledger, judge } = this.operation
    const question = guest(rng)
    const wire = await Wire.open(daemon.url, `${trusted}.250`)
    const askedMs = performance.now()
    ledger.asked++
    wire.send(question.text)
    const answer = await wire.answer()
    judge.judge(question, answer, askedMs)
    wire.close()
    return answer?.status !== 401 && answer?.status !== 429
  }

  /** The file before the one that was moved has all of its lines: it is read and forgotten. */
  private async reopen(): Promise<void> {
    const { places, daemon, ledger, logCheck } = this.operation
    const moved = `${places.log}.${++this.reopenings}`
    renameSync(places.log, moved)
    daemon.kill('SIGUSR2')
    const startMs = performance.now()
    while (!existsSync(places.log)) {
      if (performance.now() - startMs > waitMs) {
        ledger.wrong(`the log is not opened anew ${waitMs} ms after SIGUSR2`)
        return
      }
      await setTimeout(20)
    }
    await logCheck.readMoved(moved)
  }
}

async function every(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (await pause(ms, signal)) await work()
}

/** False when it was aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await setTimeout(ms, undefined, { signal })
    return true
  } catch {
    return false
  }
}
