/** Mutations of what several gates tell each other. */
import type { News } from '../../src/ledger/news.js'
import { OpenPins } from '../../src/ledger/open-pins.js'
import { Outbox } from '../../src/ledger/outbox.js'
import type { LedgerRow } from '../../src/ledger/row.js'
import { Walk } from '../../src/ledger/walk.js'
import { SharedLocks } from '../../src/store/shared-locks.js'
import type { Mutation } from './mutations.js'
import { replaceMethod } from './replace-method.js'

/** As long as older releases looked back. */
const backMs = 300_000

export const gateMutations: readonly Mutation[] = [
  {
    row: 'L15',
    name: 'what another gate released is not heard',
    gates: 2,
    faults: ['store-empty', 'cluster-kill'],
    seed: 11,
    breakCode: () => replaceMethod(OpenPins, 'retract', () => () => Promise.resolve(false)),
  },
  {
    row: 'L15',
    name: 'news are given up when they were said once',
    gates: 2,
    faults: ['store-empty', 'cluster-kill', 'gate-stop'],
    seed: 16,
    breakCode: () =>
      replaceMethod(
        Outbox,
        'of',
        (of) =>
          function (this: Outbox, gateId: string, count: number) {
            const news = of.call(this, gateId, count) as readonly News[]
            const fresh = news.filter((each) => !said.has(each))
            if (count > 1) for (const each of news) said.add(each)
            return fresh
          },
      ),
  },
  {
    row: 'L16',
    name: 'with a store a walk looks back from now',
    gates: 2,
    faults: ['cluster-kill'],
    seed: 80,
    breakCode: () =>
      replaceMethod(
        Walk,
        'lookAt',
        (lookAt) =>
          async function (
            this: { readonly parts: { readonly now: () => number } },
            rows: readonly LedgerRow[],
          ) {
            const sinceMs = this.parts.now() - backMs
            const late = rows.filter(({ atMs }) => atMs >= sinceMs)
            return (await lookAt.call(this, late)) as unknown
          },
      ),
  },
  {
    row: 'L18',
    name: 'a take that was given up is not ended',
    gates: 2,
    faults: ['store-late'],
    seed: 18,
    breakCode: () => replaceMethod(SharedLocks, 'endLater', () => () => undefined),
  },
  {
    row: 'L31',
    name: 'each gate may unpin as much of a backup as one',
    gates: 3,
    faults: ['backup'],
    seed: 99,
    breakCode: () => replaceMethod(SharedLocks, 'spend', () => () => Promise.resolve(true)),
  },
]

const said = new WeakSet<News>()
