/** Promises to encoders about shared CIDs, under load, compared with the cluster. */
import { setTimeout as delay } from 'node:timers/promises'
import { leaseIdOf } from '../../src/settings/values/lease-id.js'
import { encoders, type Encoder, type Host, holdersOf } from './host.js'

interface Promised {
  readonly cid: string
  readonly encoder: Encoder
  /** Undefined: the answer was lost, or an error. */
  readonly isHeld: boolean | undefined
  readonly status: number
  /** When the answer came, by the monotonic clock. */
  readonly atMs: number
}

export interface Broken extends Promised {
  readonly is: 'lost' | 'back'
}

/** A row follows its answer on the disk within: a crash of both may cost what came later. */
export const costMs = 50

/** @param endedMs when the gate ended */
export const isAtCost = ({ is, status, atMs }: Broken, endedMs: number): boolean =>
  is === 'lost' && status === 200 && atMs > endedMs - costMs

/** Workers of each encoder; each has CIDs of its own. */
const workersOfEach = 4

export class Promises {
  readonly answers = new Map<string, number>()
  private readonly byKey = new Map<string, Promised>()
  private running: Promise<unknown> | undefined
  private isPaused = true

  constructor(
    private readonly host: Host,
    private readonly cids: readonly string[],
  ) {}

  /** Encoders pin and unpin until {@link pause}. */
  start(): void {
    this.isPaused = false
    const workers = encoders.flatMap((encoder) =>
      Array.from({ length: workersOfEach }, (_, index) => this.work(encoder, index)),
    )
    this.running = Promise.all(workers)
  }

  async pause(): Promise<void> {
    this.isPaused = true
    await this.running
  }

  /** Number of leases that were promised to encoders. */
  get held(): number {
    return [...this.byKey.values()].filter(({ isHeld }) => isHeld).length
  }

  /** Where the cluster differs from what an encoder was promised. */
  async broken(): Promise<Broken[]> {
    const broken: Broken[] = []
    for (const cid of this.cids) {
      const holders = holdersOf(await this.host.record(cid))
      for (const encoder of encoders) {
        const promised = this.byKey.get(`${encoder} ${cid}`)
        const isThere = holders.includes(leaseIdOf(encoder))
        if (promised?.isHeld === true && !isThere) broken.push({ ...promised, is: 'lost' })
        if (promised?.isHeld === false && isThere) broken.push({ ...promised, is: 'back' })
      }
    }
    return broken
  }

  /**
   * What stays broken once the ledger has had its time. It is reported once: from now on it is as
   * the cluster has it.
   *
   * @param isExpected what is broken is expected: the wait is short
   */
  async settled(patienceMs: number, isExpected: (one: Broken) => boolean): Promise<Broken[]> {
    const startMs = performance.now()
    for (;;) {
      const broken = await this.broken().catch(() => undefined)
      if (broken?.length === 0) return []
      const waitMs = broken?.every(isExpected) === true ? patienceMs / 4 : patienceMs
      if (performance.now() - startMs > waitMs) {
        if (broken === undefined) throw new Error('the cluster does not answer')
        for (const one of broken)
          this.byKey.set(`${one.encoder} ${one.cid}`, { ...one, isHeld: one.is === 'back' })
        return broken
      }
      await delay(250)
    }
  }

  private async work(encoder: Encoder, worker: number): Promise<void> {
    const own = this.cids.filter((_, index) => index % workersOfEach === worker)
    while (!this.isPaused) {
      const cid = own[Math.floor(Math.random() * own.length)] ?? ''
      const status = await this.ask(encoder, cid)
      // Nothing listens: the gate was killed.
      await delay(status === 0 ? 100 : Math.random() * 20)
    }
  }

  private async ask(encoder: Encoder, cid: string): Promise<number> {
    const key = `${encoder} ${cid}`
    const promised = this.byKey.get(key)
    const before = promised?.isHeld
    const isUnpin = before === true && Math.random() < 0.4
    const query = Math.random() < 0.3 ? '?expire-in=2h' : ''
    const path = `/pins/${cid}${isUnpin ? '' : query}`
    const { status } = await this.host.gate.ask(isUnpin ? 'DELETE' : 'POST', path, encoder)
    const count = `${isUnpin ? 'DELETE' : 'POST'} ${status}`
    this.answers.set(count, (this.answers.get(count) ?? 0) + 1)
    const isDone = status === 200 || status === 202
    // Earlier promises hold, whatever the outcome of repeated requests.
    if (!isDone && promised !== undefined && before === !isUnpin) return status
    const outcome = isDone ? !isUnpin : undefined
    this.byKey.set(key, { cid, encoder, isHeld: outcome, status, atMs: performance.now() })
    return status
  }
}
