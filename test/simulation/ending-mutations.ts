/** Mutations of what is kept when a change ends, or is cut off. */
import type { PinRecord } from '../../src/leases/pin-record.js'
import { Holdings, type HoldingsParts } from '../../src/ledger/holdings.js'
import { OpenPins } from '../../src/ledger/open-pins.js'
import type { Wanted } from '../../src/ledger/open-pin.js'
import type { Mutation } from './mutations.js'
import { replaceMethod } from './replace-method.js'

interface Settled {
  readonly record: PinRecord | undefined
  readonly read: PinRecord | undefined
}

export const endingMutations: readonly Mutation[] = [
  {
    row: 'L9',
    name: 'a pin is answered before the disk has it, whatever may undo it',
    faults: ['gate-kill'],
    seed: 18,
    breakCode: () =>
      replaceMethod(
        OpenPins,
        'settle',
        (settle) =>
          function (this: OpenPins, view: Settled, wanted: Wanted, ...rest: unknown[]) {
            const kept = settle.call(this, view, wanted, ...rest) as Promise<void> | undefined
            return wanted === 'unpin' ? kept : undefined
          },
      ),
  },
  {
    row: 'L9',
    name: 'what may still land is not released by a DELETE with 404',
    faults: ['server-error', 'batching', 'freeze'],
    seed: 9,
    breakCode: () =>
      replaceMethod(
        OpenPins,
        'settle',
        (settle) =>
          function (this: OpenPins, view: Settled, wanted: Wanted, ...rest: unknown[]) {
            const isNothing = view.record === undefined && view.read === undefined
            if (isNothing && wanted === 'unpin') return undefined
            return settle.call(this, view, wanted, ...rest) as unknown
          },
      ),
  },
  {
    row: 'L11',
    name: 'a change that is under way when the gate stops is in no doubt',
    faults: ['gate-stop', 'late-write', 'read-fault'],
    seed: 1,
    breakCode: () => replaceMethod(OpenPins, 'close', () => () => undefined),
  },
  {
    row: 'L24',
    name: 'a place is kept for good when the disk was full at the last look',
    faults: ['server-error', 'disk-full'],
    seed: 1,
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
