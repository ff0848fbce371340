/** A comparison with the cluster's whole state, which runs where the ledger's file is. */
import type { Owes } from '../merge.js'
import type { KnownRows } from './known-cids.js'
import type { ComparisonStep } from './ledger-service.js'
import type { OnLostWrite, WholeComparison } from './ledger-storage.js'
import type { DirectCalls, WorkerCalls } from './worker-calls.js'

export interface ThreadedComparison {
  readonly calls: WorkerCalls | DirectCalls
  readonly known: KnownRows
  /** The last number in use. */
  readonly lastSeq: number
  readonly owes: Owes
  /** Takes new numbers of leases, by holder. */
  readonly learn: (counts: ReadonlyMap<string, number>) => void
  readonly onLostWrite: OnLostWrite
}

/** Lines of one portion; a commit that comes meanwhile waits for it. */
const linesAtOnce = 250

export async function compareInThread(comparison: ThreadedComparison): Promise<WholeComparison> {
  const { calls, known, lastSeq, owes, learn, onLostWrite } = comparison
  const take = ({ counts, lostWrites }: ComparisonStep): void => {
    learn(counts)
    lostWrites.forEach(onLostWrite)
  }
  // The comparison adds rows.
  known.doubt()
  await calls.call('beginComparison', lastSeq, owes)
  return {
    see: async (lines) => {
      for (let at = 0; at < lines.length; at += linesAtOnce)
        take(await calls.call('see', lines.slice(at, at + linesAtOnce)))
    },
    end: async () => {
      const { compared, ...step } = await calls.call('endComparison')
      void known.gather()
      take(step)
      return compared
    },
    abandon: async () => {
      take(await calls.call('abandonComparison'))
      void known.gather()
    },
  }
}
