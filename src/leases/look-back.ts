/**
 * A cluster that is killed forgets what it wrote last, as its log waits in memory: of an
 * ipfs-cluster-service 1.1.6 with its default datastore the last 15 to 30 pins were gone, however
 * old they were. So, when it was away, this gate looks at what it wrote there, the newest first,
 * and writes again what is gone. A log loses its end: before what is still there nothing is.
 */
import { ClusterFault, type FaultReason } from '../cluster/faults.js'
import type { SetTimer } from '../time/set-timer.js'
import { Scheduler } from '../time/scheduler.js'
import type { Ledger, Wanted } from './ledger.js'
import type { RecentWrites } from './recent.js'

export interface LookBackParts {
  readonly recent: RecentWrites
  readonly change: Ledger['change']
  /** The cluster had forgotten it, and has it again, or is rid of it again. */
  readonly onForgotten: (cid: string, what: 'pin' | 'unpin') => void
  readonly onUnseen: (cid: string, error: unknown) => void
  /** It is over: so many pins were looked at. */
  readonly onLooked: (looked: number, forgotten: number) => void
  readonly later: SetTimer
  readonly now?: () => number
}

/** Connections end one after the other, and whoever starts again is not asked at once. */
const settleMs = 1000

/** While it is still away. */
const retryMs = 5000

/** Requests at the same time are written in another order than they are answered. */
const disorderMs = 1000

export class LookBack {
  /** From when on an answer proves nothing of what was before; Infinity: there is no doubt. */
  private doubtedMs = Infinity
  private fromMs = -Infinity
  private readonly rounds: Scheduler
  private readonly now: () => number

  constructor(private readonly parts: LookBackParts) {
    this.now = parts.now ?? Date.now
    this.rounds = new Scheduler({ round: () => this.round(), now: this.now, setTimer: parts.later })
  }

  /** An endpoint of the cluster was away just now, or is back. */
  soon(): void {
    this.doubt(this.now())
    this.rounds.runWithin(settleMs)
  }

  /** It may be another cluster: nothing that was written so far belongs there. */
  startAnew(): void {
    this.fromMs = this.now()
  }

  close(): void {
    this.rounds.close()
  }

  private doubt(ms: number): void {
    this.doubtedMs = Math.min(this.doubtedMs, ms)
  }

  /** @returns milliseconds to the next one, if it has to be done again */
  private async round(): Promise<number | undefined> {
    const { recent, onUnseen, onLooked } = this.parts
    const { doubtedMs } = this
    this.doubtedMs = Infinity
    let keptMs = -Infinity
    let [looked, forgotten] = [0, 0]
    for (const { cid, atMs } of recent.newestFirst()) {
      if (atMs < Math.max(this.fromMs, keptMs - disorderMs)) break
      try {
        const found = await this.look(cid)
        looked++
        if (found === 'forgotten') forgotten++
        else if (found === 'there' && atMs < doubtedMs) keptMs = Math.max(keptMs, atMs)
      } catch (error) {
        if (isOfOne(error)) onUnseen(cid, error)
        else {
          this.doubt(doubtedMs)
          return retryMs
        }
      }
    }
    if (looked > 0) onLooked(looked, forgotten)
    return undefined
  }

  /** What is gone is written again. */
  private async look(cid: string): Promise<'there' | 'gone' | 'forgotten'> {
    const { recent, change, onForgotten } = this.parts
    const seen: { isThere?: boolean; again?: Wanted } = {}
    await change(cid, ({ read }) => {
      seen.isThere = read !== undefined
      return (seen.again = recent.forgotten(cid, read))
    })
    const { isThere = false, again } = seen
    if (again === undefined) return isThere ? 'there' : 'gone'
    onForgotten(cid, again === 'unpin' ? 'unpin' : 'pin')
    return 'forgotten'
  }
}

/** Faults that say that the cluster is away, for every pin. */
const away: ReadonlySet<FaultReason> = new Set<FaultReason>([
  'cluster-unreachable',
  'cluster-hung-up',
  'cluster-unavailable',
  'cluster-down',
])

const isOfOne = (error: unknown): boolean =>
  !(error instanceof ClusterFault && away.has(error.reason))
