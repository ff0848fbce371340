/** Pins that were accepted while the cluster was down, on disk until they are written. */
import { KeyedCounter } from '../collections/keyed-counter.js'
import type { QueueEntry, QueueRequest } from './queue-entry.js'
import type { Place, Places } from './quota-places.js'
import { LedgerFault, type LedgerStorage, type LedgerOperation } from './storage/ledger-storage.js'

export interface QueueParts {
  readonly storage: Pick<LedgerStorage, 'commit' | 'note' | 'nextSeq' | 'contents'>
  /** Quota places: each entry takes one. */
  readonly places: Places
  /** Most entries; the queue refuses any more. */
  readonly entriesMax: number
  /** Whether other gates write the cluster, too: an unpin there ends earlier requests here. */
  readonly hasOthers: boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Share of the entries that holders with many leave to others. */
const reservedShare = 1 / 8

type Copying = Pick<QueueRequest, 'cid' | 'options'> & { readonly seq?: number }

/** Most rejected entries kept for display. */
const rejectedMax = 1000

export class Queue {
  private readonly byCid = new Map<string, QueueEntry[]>()
  private readonly places = new Map<number, Place>()
  private rejectedEntries: QueueEntry[] = []
  /** Accepted, but not yet on the disk. */
  private readonly writing = new Map<number, Promise<void>>()
  private readonly waiters = new Map<string, Set<() => void>>()
  private count = 0
  /** Entries that ended by an operator's hand since the start. */
  dropped = 0
  private readonly ofHolder = new KeyedCounter()

  constructor(private readonly parts: QueueParts) {
    for (const entry of parts.storage.contents.queue)
      if (entry.rejection === undefined) this.add(entry)
      else this.rejectedEntries.push(entry)
  }

  get size(): number {
    return this.count
  }

  /** Entries that the cluster refused, the oldest first. */
  get rejected(): readonly QueueEntry[] {
    return this.rejectedEntries
  }

  /** Whether an entry of this CID waits. */
  has(cid: string): boolean {
    return this.byCid.has(cid)
  }

  /** Whether the holder's pin of this CID waits. */
  isHolder(cid: string, holder: string): boolean {
    return this.byCid.get(cid)?.some((entry) => entry.holder === holder) === true
  }

  /**
   * Whether the pin is a copy of one that was asked for before it, and that still waits.
   *
   * @param holder counts only this one's: entries of different encoders do not wait for each other
   */
  isBehindSource({ cid, seq = Infinity, options }: Copying, holder?: string): boolean {
    const source = options.find(([name]) => name === 'pin-update')?.[1]
    if (source === undefined || source === cid) return false
    return this.of(source).some(
      (other) => (holder === undefined || other.holder === holder) && other.seq < seq,
    )
  }

  /** All waiting entries of a CID. */
  of(cid: string): readonly QueueEntry[] {
    return this.byCid.get(cid) ?? []
  }

  /** A holder's waiting pins, in the order in which each CID was first requested. */
  cidsOf(holder: string): readonly string[] {
    const own = [...this.byCid].filter(([, all]) => all.some((entry) => entry.holder === holder))
    return own.map(([cid]) => cid)
  }

  /** Entries of a CID that have not expired; the queue drops the others when it gets to them. */
  live(cid: string): readonly QueueEntry[] {
    const now = this.parts.now()
    return this.of(cid).filter(({ untilMs }) => untilMs > now)
  }

  /** For each CID the entry of {@link leadOf}. */
  leads(): ReadonlyMap<string, QueueEntry> {
    const cids = [...this.byCid.keys()]
    const leads = cids.flatMap((cid) => {
      const lead = this.leadOf(cid)
      return lead === undefined ? [] : [[cid, lead] as const]
    })
    return new Map(leads)
  }

  /** Of the live entries of a CID, the one of {@link leading}. */
  leadOf(cid: string): QueueEntry | undefined {
    const [first, ...others] = this.live(cid)
    return first && leading(first, others)
  }

  /**
   * The first entry of each encoder for each CID, which may be written now; none from a ledger that
   * is a copy. The CIDs are in the order in which they arrived.
   */
  *heads(): Generator<QueueEntry> {
    if (this.parts.storage.contents.isCopy) return
    for (const entries of this.byCid.values()) {
      const holders = new Set<string>()
      for (const entry of entries) {
        if (holders.has(entry.holder)) continue
        holders.add(entry.holder)
        if (!this.writing.has(entry.seq) && !this.isBehindSource(entry, entry.holder)) yield entry
      }
    }
  }

  /** In the order in which they were accepted. */
  entries(): QueueEntry[] {
    return [...this.byCid.values()].flat().sort((one, other) => one.seq - other.seq)
  }

  /**
   * Resolves when it is on the disk. A repeated request does not add a second entry, but its expiry
   * counts.
   *
   * @throws LedgerFault
   */
  async accept(request: QueueRequest): Promise<QueueEntry> {
    const { storage, entriesMax, hasOthers, now } = this.parts
    if (storage.contents.isCopy)
      throw new LedgerFault('the ledger is a copy that is not trusted yet')
    const own = this.byCid.get(request.cid)?.filter(({ holder }) => holder === request.holder)
    const last = own?.at(-1)
    const same = last !== undefined && isSame(last, request) ? last : undefined
    if (same?.untilMs === request.untilMs && !hasOthers) {
      await this.writing.get(same.seq)
      return same
    }
    if (same === undefined && !this.hasRoom(request.holder))
      throw new LedgerFault(`the queue is full: ${this.count} of ${entriesMax} pins wait in it`)
    // A new number, as the previous one may be on its way to the cluster.
    const entry = { ...request, seq: storage.nextSeq(), atMs: now() }
    // From now on, requests for this CID queue up behind it.
    if (same === undefined) this.add(entry)
    else this.replace(same, entry)
    const operations: LedgerOperation[] = [{ kind: 'enqueue', entry }]
    if (same !== undefined) operations.push({ kind: 'dequeue', seq: same.seq })
    const writing = storage.commit(operations).catch((error: unknown) => {
      if (same === undefined) this.remove(entry)
      else this.replace(entry, same)
      throw error
    })
    this.writing.set(entry.seq, writing)
    try {
      await writing
    } finally {
      this.writing.delete(entry.seq)
    }
    return entry
  }

  /**
   * The entry was written, or must not be written any more. The disk learns of it after the row of
   * the write, so an entry that is found after a crash has a lease of its number.
   */
  done(entry: QueueEntry): void {
    if (this.remove(entry)) void this.parts.storage.note([{ kind: 'dequeue', seq: entry.seq }])
  }

  /** The storage counts the holder's lease of the CID, which waiting entries only renew. */
  held({ cid, holder }: Pick<QueueEntry, 'cid' | 'holder'>, heldUntilMs: number): void {
    for (const entry of this.byCid.get(cid) ?? [])
      if (entry.holder === holder) this.takePlace({ ...entry, heldUntilMs })
  }

  /**
   * They must not be written any more, and the disk already knows.
   * @returns how many still waited
   */
  drop(entries: readonly QueueEntry[]): number {
    const { length } = entries.filter((entry) => this.remove(entry))
    this.dropped += length
    return length
  }

  /**
   * Drops them for an operator; resolves when the disk knows.
   * @returns how many still waited
   * @throws LedgerFault all of them wait on
   */
  async discard(entries: readonly QueueEntry[]): Promise<number> {
    await this.parts.storage.commit(entries.map(({ seq }) => ({ kind: 'dequeue', seq })))
    return this.drop(entries)
  }

  /**
   * The cluster permanently refuses it: the queue keeps it for display, and no longer waits for it.
   */
  reject(entry: QueueEntry, rejection: string): void {
    if (!this.remove(entry)) return
    const rejected = { ...entry, rejection }
    const operations: LedgerOperation[] = [{ kind: 'enqueue', entry: rejected }]
    this.rejectedEntries.push(rejected)
    const oldest = this.rejectedEntries.length > rejectedMax && this.rejectedEntries.shift()
    if (oldest) operations.push({ kind: 'dequeue', seq: oldest.seq })
    void this.parts.storage.note(operations)
  }

  /**
   * Forgets the refused entries; resolves when the disk has, too.
   * @returns how many there were
   * @throws LedgerFault all of them stay
   */
  async forgetRejected(): Promise<number> {
    const gone = new Set(this.rejectedEntries)
    await this.parts.storage.commit([...gone].map(({ seq }) => ({ kind: 'dequeue', seq })))
    this.rejectedEntries = this.rejectedEntries.filter((entry) => !gone.has(entry))
    return gone.size
  }

  /**
   * Calls back when no entry of this CID waits.
   * @returns stops waiting
   */
  whenDone(cid: string, done: () => void): () => void {
    const waiters = this.waiters.get(cid) ?? new Set()
    this.waiters.set(cid, waiters.add(done))
    return () => {
      waiters.delete(done)
    }
  }

  private add(entry: QueueEntry): void {
    const entries = this.byCid.get(entry.cid)
    if (entries === undefined) this.byCid.set(entry.cid, [entry])
    else entries.push(entry)
    this.takePlace(entry)
    this.count++
    this.ofHolder.add(entry.holder)
  }

  /** Holders leave an eighth to others, each of whom takes at most as much of it as stays free. */
  private hasRoom(holder: string): boolean {
    const { entriesMax } = this.parts
    const free = entriesMax - this.count
    return free > Math.floor(entriesMax * reservedShare) || this.ofHolder.of(holder) < free
  }

  /** Replaces the previous reason. */
  private takePlace(entry: QueueEntry): void {
    const before = this.places.get(entry.seq)
    this.places.set(entry.seq, this.parts.places.take(entry))
    before?.free()
  }

  private freePlace({ seq }: QueueEntry): void {
    this.places.get(seq)?.free()
    this.places.delete(seq)
  }

  private replace(old: QueueEntry, entry: QueueEntry): void {
    const entries = this.byCid.get(old.cid)
    const index = entries?.indexOf(old) ?? -1
    if (entries === undefined || index === -1) return
    entries[index] = entry
    this.takePlace(entry)
    this.freePlace(old)
  }

  /** @returns false: it was already gone */
  private remove(entry: QueueEntry): boolean {
    const { cid, seq } = entry
    const entries = this.byCid.get(cid) ?? []
    const left = entries.filter((other) => other.seq !== seq)
    if (left.length === entries.length) return false
    this.freePlace(entry)
    this.count--
    this.ofHolder.add(entry.holder, -1)
    if (left.length > 0) {
      this.byCid.set(cid, left)
      return true
    }
    this.byCid.delete(cid)
    const waiters = this.waiters.get(cid)
    this.waiters.delete(cid)
    for (const waiter of waiters ?? []) waiter()
    return true
  }
}

/**
 * The entry whose name and options the pin will have: that of the first encoder, if there are
 * several, as they are frozen once a second one holds the pin; else the last one.
 */
function leading(first: QueueEntry, others: readonly QueueEntry[]): QueueEntry {
  const isShared = others.some(({ holder }) => holder !== first.holder)
  return isShared ? first : (others.at(-1) ?? first)
}

/** Everything that determines the outcome of an entry, except its expiry. */
const isSame = (entry: QueueEntry, request: QueueRequest): boolean =>
  entry.holder === request.holder &&
  entry.keyDigest === request.keyDigest &&
  JSON.stringify(entry.options) === JSON.stringify(request.options)
