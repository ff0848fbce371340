/** Mutations of methods of src, put in their place for the time of a run. */
import { Quota, type Reservation } from '../../src/gate/ownership/quota.js'
import { Replay } from '../../src/gate/outage/replay.js'
import type { Lease } from '../../src/leases/lease.js'
import type { PinRecord } from '../../src/leases/pin-record.js'
import type { DoubtReason } from '../../src/ledger/doubt.js'
import { Decisions, type DecisionsParts } from '../../src/ledger/decisions.js'
import { Doubts } from '../../src/ledger/doubts.js'
import { Ledger } from '../../src/ledger/ledger.js'
import type { QueueEntry, QueueRequest } from '../../src/ledger/queue-entry.js'
import { Queue } from '../../src/ledger/queue.js'
import { Reconciler } from '../../src/ledger/reconciler.js'
import type { LedgerRow } from '../../src/ledger/row.js'
import type { LedgerStorage } from '../../src/ledger/storage/ledger-storage.js'
import { type PlannedLease, Upkeep } from '../../src/ledger/upkeep.js'
import { Walk } from '../../src/ledger/walk.js'
import { Deadline } from '../../src/time/deadline.js'
import type { Logger } from '../../src/log/logger.js'
import type { Snapshot } from '../../src/settings/snapshot.js'
import { writeTimeoutMs } from './gate-port.js'
import type { Mutation } from './mutations.js'
import { replaceMethod } from './replace-method.js'

interface WithParts<T> {
  readonly parts: T
}

interface Look {
  readonly differs: string | undefined
  readonly isNeutral: boolean
}

interface Read {
  readonly read: PinRecord | undefined
}

const secondOf = (ms: number): number => Math.floor(ms / 1000)

export const codeMutations: readonly Mutation[] = [
  {
    row: 'L1',
    name: "an own clean end is taken for the cluster's",
    faults: ['gate-stop', 'cluster-kill'],
    seed: 62,
    breakCode: () =>
      replaceMethod(
        Walk,
        'soon',
        (soon) =>
          function (
            this: WithParts<{ storage: LedgerStorage; isAvailable: () => boolean }> &
              Pick<Walk, 'clear'>,
          ) {
            const { storage } = this.parts
            if (!storage.contents.wasClosed || knownWalks.has(this)) soon.call(this)
            else {
              knownWalks.add(this)
              this.clear()
            }
          },
      ),
  },
  {
    row: 'L2',
    name: 'a replay goes behind newer state',
    faults: ['cluster-stop', 'cluster-kill', 'gate-kill', 'gate-stop', 'disk-full'],
    seed: 3,
    breakCode: () => {
      // The entry stays on the disk, and what it is compared with is not looked at.
      const mendDone = replaceMethod(
        Queue,
        'done',
        () =>
          function (this: { remove: (entry: QueueEntry) => boolean }, entry: QueueEntry) {
            this.remove(entry)
          },
      )
      const mendReplay = replaceMethod(
        Ledger,
        'replay',
        () =>
          function (this: Ledger, cid: string, _holder: string, _seq: number, change) {
            return this.change(cid, change as Parameters<Ledger['change']>[1])
          },
      )
      return () => {
        mendDone()
        mendReplay()
      }
    },
  },
  {
    row: 'L3',
    name: 'entries of two keys are folded',
    faults: ['cluster-stop', 'keys'],
    seed: 3,
    breakCode: () =>
      replaceMethod(
        Queue,
        'accept',
        (accept) =>
          function (this: Queue, request: QueueRequest) {
            const same = this.entries().findLast(
              ({ cid, holder }) => cid === request.cid && holder === request.holder,
            )
            const keyDigest = same?.keyDigest ?? request.keyDigest
            return accept.call(this, { ...request, keyDigest }) as unknown
          },
      ),
  },
  {
    row: 'L5',
    name: 'the walk ends at the first pin that is there',
    faults: ['cluster-kill'],
    seed: 1,
    breakCode: () =>
      replaceMethod(
        Walk,
        'looksFrom',
        (looksFrom) =>
          async function (from: number) {
            const looks = (await looksFrom.call(this, from)) as Look[]
            const end = looks.findIndex((look) => look.differs === undefined && !look.isNeutral)
            return end === -1 ? looks : looks.slice(0, end)
          },
      ),
  },
  {
    row: 'L6',
    name: 'what cannot be read is taken for there',
    faults: ['cluster-kill', 'read-fault', 'freeze'],
    seed: 4,
    breakCode: () =>
      replaceMethod(
        Reconciler,
        'compare',
        (compare) =>
          async function (row: LedgerRow) {
            try {
              return (await compare.call(this, row)) as unknown
            } catch {
              return { differs: undefined, isThere: true }
            }
          },
      ),
  },
  {
    row: 'L9',
    name: 'an unknown outcome is no doubt',
    faults: ['late-write', 'lost-answer'],
    seed: 1,
    breakCode: () => withoutDoubt('unknown-outcome'),
  },
  {
    row: 'L10',
    name: 'a renewal near a sweep is no doubt',
    faults: [],
    seed: 3,
    breakCode: () => withoutDoubt('near-sweep'),
  },
  {
    row: 'L12',
    name: 'a plan has no version',
    faults: ['plans'],
    seed: 1,
    breakCode: () =>
      replaceMethod(
        Upkeep,
        'release',
        (release) =>
          async function (
            this: { readonly ledger: Ledger },
            planned: PlannedLease,
            ...rest: unknown[]
          ) {
            const { record } = await this.ledger.look(planned.cid, new Deadline(writeTimeoutMs))
            const lease = record?.leases.find(({ holder }) => holder === planned.holder)
            return (await release.call(this, { ...planned, ...lease }, ...rest)) as unknown
          },
      ),
  },
  {
    row: 'L13',
    name: 'a definite refusal blocks its CID',
    faults: ['cluster-stop', 'rejection'],
    seed: 67,
    breakCode: () => replaceMethod(Queue, 'reject', () => () => undefined),
  },
  {
    row: 'L14',
    name: 'entries go by the name of the encoder',
    faults: ['cluster-stop', 'keys'],
    seed: 46,
    breakCode: () =>
      replaceMethod(
        Replay,
        'apply',
        (apply) =>
          async function (this: WithParts<{ current: () => Snapshot }>, entry: QueueEntry) {
            const { encoders } = this.parts.current().config
            if (encoders[entry.encoder] === undefined) return 'encoder-removed'
            return (await apply.call(this, entry)) as unknown
          },
      ),
  },
  {
    row: 'L24',
    name: 'nothing is reserved',
    faults: ['quota'],
    seed: 4,
    breakCode: () =>
      replaceMethod(
        Quota,
        'reserve',
        (reserve) =>
          async function (...args: unknown[]) {
            const reservation = (await reserve.apply(this, args)) as Reservation
            reservation.place?.free()
            return reservation
          },
      ),
  },
  {
    row: 'L25',
    name: 'the question to Kubo has a limit of its own',
    faults: ['grace', 'freeze', 'read-fault'],
    seed: 106,
    breakCode: () =>
      replaceMethod(
        Ledger,
        'isFinished',
        (isFinished) =>
          function (cid: string, _deadline: Deadline, ...rest: unknown[]) {
            return isFinished.call(this, cid, new Deadline(2 * writeTimeoutMs), ...rest) as unknown
          },
      ),
  },
  {
    row: 'L28',
    name: 'the same POST is queued each time',
    faults: ['cluster-stop'],
    seed: 1,
    breakCode: () =>
      replaceMethod(
        Queue,
        'accept',
        () =>
          async function (
            this: WithParts<{ storage: LedgerStorage; now: () => number }> & {
              add: (entry: QueueEntry) => void
            },
            request: QueueRequest,
          ) {
            const { storage, now } = this.parts
            const entry = { ...request, seq: storage.nextSeq(), atMs: now() }
            this.add(entry)
            await storage.commit([{ kind: 'enqueue', entry }])
            return entry
          },
      ),
  },
  {
    row: 'L31',
    name: 'the walk repairs whatever differs',
    faults: ['backup'],
    seed: 4,
    breakCode: () =>
      replaceMethod(
        Walk,
        'walk',
        () =>
          async function (
            this: WithParts<{ reconciler: Reconciler }> & {
              looksFrom: (from: number) => Promise<(Look & { readonly row: LedgerRow })[]>
            },
            from: number,
          ) {
            for (const { row, differs } of await this.looksFrom(from))
              if (differs !== undefined) await this.parts.reconciler.reconcile(row.cid, true)
          },
      ),
  },
  {
    row: 'L31',
    name: 'a take-down is an unpin like others',
    faults: ['take-down', 'cluster-stop', 'cluster-kill', 'hand'],
    seed: 7,
    breakCode: () =>
      replaceMethod(
        Decisions,
        'takeDown',
        () =>
          async function (this: WithParts<DecisionsParts>, cid: string) {
            const { pins, records, timeoutMs, monotonic } = this.parts
            const deadline = new Deadline(timeoutMs(), monotonic)
            const pin = await pins.open(cid, deadline, async () => {
              const now = await records.read(cid, deadline)
              return { ...now, record: now.read }
            })
            await records.write('unpin', pin, deadline)
            return { outcome: 'unpinned', holders: [], queued: 0 }
          },
      ),
  },
  {
    row: 'L33',
    name: 'a row of the same second beats the record',
    faults: ['gate-kill'],
    seed: 84,
    breakCode: () =>
      replaceMethod(
        Reconciler,
        'merged',
        (merged) =>
          function (row: LedgerRow, now: Read) {
            const isSame =
              now.read !== undefined && secondOf(row.atMs) >= secondOf(now.read.writtenMs)
            const result = merged.call(this, row, isSame ? { ...now, read: undefined } : now) as {
              readonly record: PinRecord | undefined
              readonly differs: string | undefined
            }
            if (!isSame) return result
            if (result.record === undefined) return { ...result, differs: 'unexpected' }
            const isAlike = leasesOf(result.record) === leasesOf(now.read)
            return { ...result, differs: isAlike ? undefined : 'missing' }
          },
      ),
  },
  {
    row: 'L34',
    name: 'the same second is no difference',
    faults: ['cluster-kill'],
    seed: 8,
    breakCode: () =>
      replaceMethod(
        Reconciler,
        'merged',
        (merged) =>
          function (row: LedgerRow, now: Read) {
            const isSame =
              now.read !== undefined && secondOf(row.atMs) === secondOf(now.read.writtenMs)
            if (isSame) return { record: now.read, differs: undefined }
            return merged.call(this, row, now) as unknown
          },
      ),
  },
  {
    row: 'L36',
    name: "a lease that the disk does not know is taken for another writer's",
    faults: ['gate-kill'],
    seed: 92,
    breakCode: () =>
      replaceMethod(
        Ledger,
        'look',
        (look) =>
          async function (
            this: WithParts<{ storage: LedgerStorage; log: Logger }>,
            cid: string,
            ...rest: unknown[]
          ) {
            const { storage, log } = this.parts
            const view = (await look.call(this, cid, ...rest)) as Read
            const row = await storage.row(cid)
            if (row !== undefined && (view.read?.leases.length ?? 0) > row.leases.length)
              log('warn', { cid }, 'another writer')
            return view
          },
      ),
  },
]

/** Walks that began after a clean end, and were asked for once. */
const knownWalks = new WeakSet<object>()

const withoutDoubt = (left: DoubtReason): (() => void) =>
  replaceMethod(
    Doubts,
    'add',
    (add) =>
      function (cid: string, reason: DoubtReason) {
        if (reason !== left) add.call(this, cid, reason)
      },
  )

const leasesOf = (record: PinRecord | undefined): string =>
  (record?.leases ?? [])
    .map(({ holder, untilMs }: Lease) => `${holder} ${untilMs}`)
    .sort()
    .join()
