/**
 * Changes many pins for one command: a few at a time; once it has to stop, no other change begins.
 */
import { canonicalCid } from '../cluster/cid.js'
import type { Outcome } from '../ledger/upkeep.js'

/** The outcome for one CID. */
export interface Done {
  readonly cid: string
  readonly outcome: Outcome | 'failed' | 'bad-cid' | 'not-begun'
  readonly message?: string
}

/** The cluster also has other work. */
const atOnceMax = 8

/**
 * @param items CIDs in any spelling; `act` gets the canonical one
 * @param mustStop the daemon stops, or the command has ended
 * @returns in the order of the items
 */
export async function changeEach<T extends { readonly cid: string }>(
  items: readonly T[],
  mustStop: () => boolean,
  act: (cid: string, item: T) => Promise<Outcome | Done>,
): Promise<readonly Done[]> {
  const done: Done[] = []
  const left = items.entries()
  const workers = Array.from({ length: atOnceMax }, async () => {
    for (const [index, item] of left)
      done[index] = mustStop() ? { cid: item.cid, outcome: 'not-begun' } : await one(item, act)
  })
  await Promise.all(workers)
  return done
}

async function one<T extends { readonly cid: string }>(
  item: T,
  act: (cid: string, item: T) => Promise<Outcome | Done>,
): Promise<Done> {
  const cid = canonicalCid(item.cid)
  if (cid === undefined) return { cid: item.cid, outcome: 'bad-cid' }
  try {
    const outcome = await act(cid, item)
    return typeof outcome === 'string' ? { cid, outcome } : outcome
  } catch (error) {
    return { cid, outcome: 'failed', message: messageOf(error) }
  }
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return error.message + cause
}
