/**
 * Tells a crash from other changes. A killed cluster forgets a suffix of its last writes, as its
 * log is in memory: an ipfs-cluster-service 1.1.6 with its default datastore lost the last 15 to 30
 * writes, however old. Every other difference was made outside the gate. No I/O.
 */
import type { UnpinBudget } from './gate-locks.js'
import type { LedgerRow } from './row.js'

/** The comparison of one row. */
export interface Look {
  readonly row: LedgerRow
  readonly differs: 'missing' | 'unexpected' | undefined
  /**
   * It agrees, and would agree even if the write were lost: a pin that was recently made and
   * unpinned leaves nothing behind either way.
   */
  readonly isNeutral: boolean
  /** The pin that is back was taken down, which is final. */
  readonly isTakenDown?: boolean
}

export interface Decided {
  readonly repair: readonly LedgerRow[]
  /** The unpinned ones of these, except for take-downs. */
  readonly back: readonly LedgerRow[]
  /** Changed outside the gate: an operator decides. */
  readonly report: readonly { readonly row: LedgerRow; readonly as: 'missing' | 'unexpected' }[]
}

/** The walk ends after this many agreeing rows: many times the number of concurrent writes. */
export const agreedMin = 100

/** Concurrent writes arrive in another order: this many rows may agree within the lost run. */
const disorderMax = 32

/** A crash loses a few dozen writes. */
const missingMax = 1000

/** The budget of one walk; with several gates, of all walks that an older state can cause. */
export const crashBudget: UnpinBudget = { name: 'crash', max: 50, withinMs: 1_800_000 }

/** A power cut loses what the operating system had not written: up to these last minutes. */
export const rebootMs = 600_000

/**
 * @param looks the newest write first
 * @param isRebooted whether the machine went down without a clean shutdown
 * @param backMax pins that may be unpinned
 */
export function decideWalk(
  looks: readonly Look[],
  isRebooted: boolean,
  backMax = crashBudget.max,
): Decided {
  const run = runOf(looks)
  const missing = looks.filter(({ differs }) => differs === 'missing')
  const unexpected = looks.filter(
    ({ differs, isTakenDown }) => differs === 'unexpected' && isTakenDown !== true,
  )
  // After a power cut there may be more of them than a call takes arguments.
  const newestMs = looks.reduce((latest, { row }) => Math.max(latest, row.atMs), -Infinity)
  const inRun = (all: readonly Look[], max: number): ReadonlySet<Look> => {
    const found = all.filter((look) => run.has(look))
    return new Set(found.length > max ? [] : found)
  }
  const lost = inRun(missing, missingMax)
  const back = inRun(unexpected, backMax)
  const isLate = ({ row }: Look): boolean => isRebooted && row.atMs > newestMs - rebootMs
  const isRepaired = (look: Look): boolean =>
    lost.has(look) ||
    back.has(look) ||
    (look.differs === 'missing' && isLate(look)) ||
    (look.differs === 'unexpected' && look.isTakenDown === true)
  return {
    repair: looks.filter(isRepaired).map(({ row }) => row),
    back: Array.from(back, ({ row }) => row),
    report: looks.flatMap((look) =>
      look.differs === undefined || isRepaired(look) ? [] : [{ row: look.row, as: look.differs }],
    ),
  }
}

/** From the newest write on, until more agree in a row than were written concurrently. */
function runOf(looks: readonly Look[]): ReadonlySet<Look> {
  const run = new Set<Look>()
  let gap = 0
  for (const look of looks) {
    if (look.isNeutral) continue
    gap = look.differs === undefined ? gap + 1 : 0
    if (gap > disorderMax) break
    run.add(look)
  }
  return run
}
