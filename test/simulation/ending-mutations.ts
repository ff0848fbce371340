/** Mutations of what is kept when a change ends, or is cut off. */
import { Holdings, type HoldingsParts } from '../../src/ledger/holdings.js'
import { OpenPins } from '../../src/ledger/open-pins.js'
import type { Mutation } from './mutations.js'
import { replaceMethod } from './replace-method.js'

export const endingMutations: readonly Mutation[] = [
  {
    row: 'L11',
    name: 'a change that is in flight when the gate stops is in no doubt',
    faults: ['gate-stop', 'late-write', 'read-fault'],
    seed: 2,
    breakCode: () => replaceMethod(OpenPins, 'close', () => () => undefined),
  },
  {
    row: 'L24',
    name: 'a place is kept for good when the disk was full at the last look',
    faults: ['server-error', 'disk-full'],
    seed: 27,
    breakCode: () =>
      replaceMethod(
        Holdings,
        'looked',
        (looked) =>
          function (this: { readonly parts: HoldingsParts }, ...look: unknown[]) {
            const parts = { ...this.parts, setTimer: () => () => undefined }
            return looked.call(Object.create(this, { parts: { value: parts } }), ...look) as unknown
          },
      ),
  },
]
