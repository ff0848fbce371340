/**
 * The peers of a cluster (CRDT) order the writes of a CID by the depth of their logs, not by time.
 * A peer that was down may win with older writes over those made meanwhile at another one, minutes
 * after it is back. So all that was written meanwhile is in doubt.
 */
import type { Clock } from '../time/clock.js'
import type { DoubtReason } from './doubt.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface PeerBackParts extends Pick<Clock, 'now' | 'setTimer'> {
  readonly storage: Pick<LedgerStorage, 'newest'>
  readonly onDoubt: (cid: string, reason: DoubtReason) => void
  /** Called for each of these: what comes back of it was not brought back by a hand. */
  readonly explain: (cid: string) => void
}

/** The peers may have lacked each other's writes even before. */
const marginMs = 300_000

/** Until then, a peer that is back may not have the others' writes, nor they its own. */
const mergedMs = 60_000

/** Beyond it the comparison with the whole state finds them. */
const rowsMax = 5000

const pageRows = 64

export class PeerBack {
  private cancel = (): void => undefined

  constructor(private readonly parts: PeerBackParts) {}

  /** @param downMs how long the peer did not answer */
  back(downMs: number): void {
    const { now, setTimer } = this.parts
    const sinceMs = now() - downMs - marginMs
    void this.doubtSince(sinceMs)
    this.cancel()
    this.cancel = setTimer(mergedMs, () => void this.doubtSince(sinceMs))
  }

  close(): void {
    this.cancel()
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
