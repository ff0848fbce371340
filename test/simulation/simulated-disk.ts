/** The ledger's disk in memory: what was not committed at a crash is lost; it may be full or slow. */
import type { Doubt } from '../../src/ledger/doubt.js'
import type { Owes } from '../../src/ledger/merge.js'
import type { News } from '../../src/ledger/news.js'
import type { QueueEntry } from '../../src/ledger/queue-entry.js'
import { type LedgerRow, withReleased } from '../../src/ledger/row.js'
import {
  type LedgerContents,
  type PendingWalks,
  LedgerFault,
  type OnLostWrite,
  type LedgerStorage,
  type LedgerOperation,
} from '../../src/ledger/storage/ledger-storage.js'
import { RecentPlaces } from '../../src/ledger/storage/recent-places.js'
import { rowDelayMsMax } from './crash-costs.js'
import type { SeededRandom } from './seeded-random.js'
import { SimulatedComparison } from './simulated-comparison.js'
import type { VirtualTime } from './virtual-time.js'

/** What survives every crash. */
export interface DiskImage {
  readonly gateId: string
  readonly rows: Map<string, LedgerRow>
  readonly queue: Map<number, QueueEntry>
  readonly doubts: Map<string, Doubt>
  readonly outbox: Map<number, News>
  readonly gates: Set<string>
  seqEnd: number
  comparedMs: number | undefined
  walks: PendingWalks | undefined
  isIncomplete: boolean
  wasClosed: boolean
  isCopy: boolean
}

const copyOf = (image: DiskImage): DiskImage => ({
  ...image,
  rows: new Map(image.rows),
  queue: new Map(image.queue),
  doubts: new Map(image.doubts),
  outbox: new Map(image.outbox),
  gates: new Set(image.gates),
})

interface Batch {
  readonly operations: readonly LedgerOperation[]
  readonly atMs: number
  /** No caller waits for a note: the queue tries it again. */
  readonly isNote: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Numbers that are given out before the disk is asked again. */
const seqRange = 1000

const doubtKey = ({ cid, reason }: { cid: string; reason: string }) => `${cid} ${reason}`

export class SimulatedDisk {
  private image: DiskImage
  private backup: DiskImage | undefined
  private isRebooted = false
  isFull = false
  slowMs = 0

  constructor(
    readonly time: VirtualTime,
    private readonly random: SeededRandom,
  ) {
    this.image = this.made()
  }

  get gateId(): string {
    return this.image.gateId
  }

  /** The power failed, or the machine rebooted. */
  reboot(): void {
    this.isRebooted = true
  }

  /** @returns the id of the ledger that is gone */
  lose(): string {
    const { gateId } = this.image
    this.image = this.made()
    return gateId
  }

  get isCopy(): boolean {
    return this.image.isCopy
  }

  copy(): void {
    this.backup = copyOf(this.image)
  }

  /** @returns whether there is a copy */
  restore(): boolean {
    if (this.backup === undefined) return false
    const copy = copyOf(this.backup)
    const seqEnd = Math.max(copy.seqEnd, 1_000_000_000 + Math.floor(this.time.monotonic()))
    this.image = { ...copy, seqEnd, isCopy: true }
    return true
  }

  heal(): void {
    this.isFull = false
    this.slowMs = 0
  }

  open(): OpenDisk {
    const { isRebooted } = this
    this.isRebooted = false
    return new OpenDisk(this, this.image, isRebooted)
  }

  commitDelay(): number {
    return 0.2 + this.random.next() * 2 + this.slowMs
  }

  noteDelay(): number {
    return 5 + this.random.next() * (rowDelayMsMax - 15) + this.slowMs
  }

  private made(): DiskImage {
    const digits = '0123456789abcdefghijklmnopqrstuvwxyz'
    const gateId = Array.from({ length: 8 }, () => digits[this.random.below(36)]).join('')
    return {
      gateId,
      rows: new Map(),
      queue: new Map(),
      doubts: new Map(),
      outbox: new Map(),
      gates: new Set(),
      seqEnd: 1,
      comparedMs: undefined,
      walks: undefined,
      isIncomplete: true,
      wasClosed: true,
      isCopy: false,
    }
  }
}

/** The file as one run of the gate has it open. */
export class OpenDisk implements LedgerStorage {
  readonly gateId: string
  readonly contents: LedgerContents
  readonly places: RecentPlaces
  private seq: number
  private waiting: Batch[] = []
  private cancel: (() => void) | undefined
  private flushAtMs = Infinity
  private isOpen = true
  isUnsettled = false

  constructor(
    private readonly disk: SimulatedDisk,
    readonly image: DiskImage,
    isRebooted: boolean,
  ) {
    this.gateId = image.gateId
    this.seq = image.seqEnd
    const now = disk.time.wall()
    const counts = new Map<string, number>()
    let lastRow = 0
    for (const { leases, seq } of image.rows.values()) {
      lastRow = Math.max(lastRow, seq)
      for (const { holder, untilMs } of leases)
        if (untilMs > now) counts.set(holder, (counts.get(holder) ?? 0) + 1)
    }
    image.isIncomplete ||= !image.wasClosed
    this.contents = {
      queue: [...image.queue.values()].sort((one, other) => one.seq - other.seq),
      doubts: [...image.doubts.values()],
      outbox: [...image.outbox.values()].sort((one, other) => one.seq - other.seq),
      gates: [...image.gates],
      isVolatile: false,
      counts,
      lastRow,
      comparedMs: image.comparedMs,
      wasClosed: image.wasClosed,
      isRebooted,
      isCopy: image.isCopy,
      takenOver: '',
      isIncomplete: image.isIncomplete,
      cluster: undefined,
      walks: image.walks,
    }
    this.places = new RecentPlaces(lastRow, () => disk.time.monotonic())
    image.wasClosed = false
  }

  /** How long the oldest of what waits has waited. */
  get behindMs(): number {
    return this.nowMs - (this.waiting[0]?.atMs ?? this.nowMs)
  }

  private get nowMs(): number {
    return this.disk.time.monotonic()
  }

  get isWritable(): boolean {
    return !this.disk.isFull && this.waiting.length < 1000
  }

  get lastSeq(): number {
    return this.seq - 1
  }

  nextSeq(): number {
    const { image } = this
    if (this.seq >= image.seqEnd) {
      if (this.disk.isFull) throw new LedgerFault('the disk is full')
      image.seqEnd = this.seq + seqRange
    }
    return this.seq++
  }

  commit(operations: readonly LedgerOperation[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ operations, atMs: this.nowMs, isNote: false, resolve, reject })
      this.flushWithin(this.disk.commitDelay())
    })
  }

  note(operations: readonly LedgerOperation[]): Promise<void> {
    return new Promise((resolve) => {
      const done = { resolve, reject: () => undefined }
      this.waiting.push({ operations, atMs: this.nowMs, isNote: true, ...done })
      this.flushWithin(this.disk.noteDelay())
    })
  }

  readonly mayBeReported = true

  mayHaveRow(cid: string): boolean {
    return this.rows().has(cid)
  }

  async row(cid: string): Promise<LedgerRow | undefined> {
    return this.rows().get(cid)
  }

  async newest(before: number, count: number): Promise<readonly LedgerRow[]> {
    return [...this.rows().values()]
      .filter(({ seq }) => seq > 0 && seq < before)
      .sort((one, other) => other.seq - one.seq)
      .slice(0, count)
  }

  async held(holder: string, after: string | undefined, count: number) {
    return [...this.rows().values()]
      .filter((row) => row.leases.some((lease) => lease.holder === holder))
      .map(({ cid }) => cid)
      .filter((cid) => after === undefined || cid > after)
      .sort()
      .slice(0, count)
  }

  count(holder: string): number {
    const now = this.disk.time.wall()
    const holds = (row: LedgerRow) =>
      row.leases.some((lease) => lease.holder === holder && lease.untilMs > now)
    return [...this.image.rows.values()].filter(holds).length
  }

  async countNow(): Promise<void> {
    // It counts by the clock.
  }

  async compare(onLostWrite: OnLostWrite, owes: Owes = 'all') {
    return new SimulatedComparison(this, this.disk.time, owes, onLostWrite)
  }

  async close(): Promise<void> {
    if (this.waiting.length > 0) await this.commit([])
    this.image.wasClosed = !this.isUnsettled
    this.isOpen = false
  }

  /** The process is gone: what waits is lost. */
  crash(): void {
    this.isOpen = false
    this.cancel?.()
    this.waiting = []
  }

  /** As they are on the disk, or wait for it. */
  rows(): ReadonlyMap<string, LedgerRow> {
    if (this.waiting.length === 0) return this.image.rows
    const rows = new Map(this.image.rows)
    for (const { operations } of this.waiting)
      for (const operation of operations)
        if (operation.kind === 'row') rows.set(operation.row.cid, carried(operation.row, rows))
    return rows
  }

  /** In doubt, in the queue, or its row is on the way to the disk. */
  isPending(cid: string): boolean {
    const { doubts, queue } = this.image
    const isOf = (each: { readonly cid: string }): boolean => each.cid === cid
    return (
      [...doubts.values()].some(isOf) ||
      [...queue.values()].some((entry) => isOf(entry) && entry.rejection === undefined) ||
      this.waiting.some(({ operations }) =>
        operations.some((operation) => operation.kind === 'row' && operation.row.cid === cid),
      )
    )
  }

  get seqNow(): number {
    return this.seq
  }

  private flushWithin(ms: number): void {
    const { time } = this.disk
    const atMs = time.monotonic() + ms
    if (atMs >= this.flushAtMs || !this.isOpen) return
    this.cancel?.()
    this.flushAtMs = atMs
    this.cancel = time.setTimer(ms, () => {
      this.flush()
    })
  }

  /** One transaction for all that waits. */
  private flush(): void {
    this.flushAtMs = Infinity
    if (this.disk.isFull) {
      for (const { isNote, reject } of this.waiting)
        if (!isNote) reject(new LedgerFault('the disk is full'))
      this.waiting = this.waiting.filter(({ isNote }) => isNote)
      if (this.waiting.length > 0) this.flushWithin(1000)
      return
    }
    const batches = this.waiting.splice(0)
    for (const { operations } of batches) for (const operation of operations) this.apply(operation)
    for (const { resolve } of batches) resolve()
  }

  private apply(operation: LedgerOperation): void {
    const { image } = this
    switch (operation.kind) {
      case 'row':
        image.rows.set(operation.row.cid, carried(operation.row, image.rows))
        this.places.wrote(operation.row.seq)
        break
      case 'enqueue':
        image.queue.set(operation.entry.seq, operation.entry)
        break
      case 'dequeue':
        image.queue.delete(operation.seq)
        break
      case 'doubt':
        image.doubts.set(doubtKey(operation.doubt), operation.doubt)
        break
      case 'settle':
        image.doubts.delete(doubtKey(operation))
        break
      case 'walks':
        image.walks = operation.walks
        break
      case 'news':
        image.outbox.set(operation.news.seq, operation.news)
        break
      case 'delivered':
        for (const [seq, { to }] of image.outbox)
          if (to === operation.gateId && seq <= operation.upTo) image.outbox.delete(seq)
        break
      case 'gate':
        if (operation.isForgotten) image.gates.delete(operation.gateId)
        else image.gates.add(operation.gateId)
        break
      case 'taken-over':
      case 'cluster':
      case 'name':
        break
    }
  }
}

/** As the file does it: what was released before stays so. */
const carried = (row: LedgerRow, rows: ReadonlyMap<string, LedgerRow>): LedgerRow =>
  withReleased(row, rows.get(row.cid)?.released ?? [])
