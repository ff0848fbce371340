/**
 * The peers of a cluster (CRDT) order the writes of a CID by the depth of their logs, not by time.
 * A peer that was down may win with older writes over those made meanwhile at another one, minutes
 * after it is back. So all that was written meanwhile is in doubt.
 */
import type { Logger } from '../log/logger.js'
import { Scheduler } from '../time/scheduler.js'
import type { Clock } from '../time/clock.js'
import type { DoubtReason } from './doubt.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface PeerBackParts extends Clock {
  readonly storage: Pick<LedgerStorage, 'newest'>
  readonly onDoubt: (cid: string, reason: DoubtReason) => void
  /** Called for each of these: what comes back of it was not brought back by a hand. */
  readonly explain: (cid: string) => void
  readonly log: Logger
}

/** The peers may have lacked each other's writes even before. */
const marginMs = 300_000

/** Until then, a peer that is back may not have the others' writes, nor they its own. */
const mergedMs = 60_000

/** One at once, and one when the peers have merged. */
const roundsAfter = 2

/** Delay after a failure to read the ledger. */
const retryMs = 10_000

/** Beyond it the comparison with the whole state finds them. */
const rowsMax = 5000

const pageRows = 64

export class PeerBack {
  /** All that was written since then is in doubt at each round that is left. */
  private sinceMs = Infinity
  private roundsLeft = 0
  private readonly scheduler: Scheduler

  constructor(private readonly parts: PeerBackParts) {
    this.scheduler = new Scheduler(() => this.round(), parts)
  }

  /** @param downMs how long the peer did not answer */
  back(downMs: number): void {
    this.sinceMs = Math.min(this.sinceMs, this.parts.now() - downMs - marginMs)
    // A peer that comes and goes costs no more than a round a minute.
    if (this.roundsLeft === 0) this.scheduler.runWithin(0)
    this.roundsLeft = roundsAfter
  }

  close(): void {
    this.scheduler.close()
  }

  /** @returns milliseconds to the next one, if there is one */
  private async round(): Promise<number | undefined> {
    try {
      await this.doubtSince(this.sinceMs)
    } catch (err) {
      this.parts.log('warn', { err }, 'could not list yet what was written while a peer was down')
      return retryMs
    }
    this.roundsLeft--
    if (this.roundsLeft > 0) return mergedMs
    this.sinceMs = Infinity
    return undefined
  }

  private async doubtSince(sinceMs: number): Promise<void> {
    const { storage, onDoubt, explain } = this.parts
    let before = Infinity
    for (let count = 0; count < rowsMax; count += pageRows) {
      const rows = await storage.newest(before, pageRows)
      for (const { cid } of rows.filter(({ atMs }) => atMs >= sinceMs)) {
        explain(cid)
        onDoubt(cid, 'peer-back')
      }
      const last = rows.at(-1)
      if (last === undefined || last.atMs < sinceMs) return
      before = last.seq
    }
  }
}
