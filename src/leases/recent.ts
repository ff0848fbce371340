/** What the gate itself wrote last, laid over what the cluster says: its reads may lag behind. */
import { AgingMap } from '../collections/aging-map.js'
import type { Lease } from './lease.js'
import type { Wanted } from './open-pin.js'
import { type PinRecord, readPinRecord } from './pin-record.js'

/** With CRDT batching a write is seen only once its batch is committed. */
const lagMsMax = 300_000

/** Of more than these the oldest are forgotten. */
const keptMin = 5000

/** A cluster that was killed forgets some tens. */
const newestMax = 1000

interface Written {
  /** Undefined: it was unpinned. */
  readonly record: PinRecord | undefined
  /** When the cluster last wrote the record, by its own clock; of one that is gone, before that. */
  readonly writtenMs: number
}

interface Entry {
  /** Undefined: what was written cannot be told. A text is read when somebody asks. */
  written: Written | string | undefined
  /** As the cluster answered it; undefined: it was unpinned. */
  readonly text: string | undefined
  readonly atMs: number
  /** Whether a later write was lost on the way: it may have been done. */
  isUnsure: boolean
}

export interface Seen {
  readonly record: PinRecord | undefined
  /** Somebody else wrote it after us, and its leases are not those that we wrote. */
  readonly isForeign: boolean
}

export class RecentWrites {
  private readonly writes = new AgingMap<Entry>(keptMin)
  private onNoted: (cid: string) => void = () => undefined

  /** @param keptMs how long this gate answers for what it wrote, though no read lags so far */
  constructor(
    private readonly keptMs: number = lagMsMax,
    private readonly now: () => number = Date.now,
  ) {}

  /** Calls back whenever something else is known of a pin. */
  whenNoted(onNoted: (cid: string) => void): void {
    this.onNoted = onNoted
  }

  /** @param text what the cluster answered to the write */
  wrote(cid: string, text: string): void {
    this.note(cid, { written: text, text, atMs: this.now(), isUnsure: false })
  }

  /** @param writtenMs of the record as it was before */
  removed(cid: string, writtenMs: number): void {
    const written = { record: undefined, writtenMs }
    this.note(cid, { written, text: undefined, atMs: this.now(), isUnsure: false })
  }

  /** A write whose answer was lost: what was there before it is still the least that is known. */
  lost(cid: string): void {
    const write = this.writes.get(cid)
    if (write === undefined) return
    write.isUnsure = true
    this.onNoted(cid)
  }

  /** For other gates: what is known of a pin; undefined: nothing. */
  told(cid: string): string | undefined {
    const entry = this.writes.get(cid)
    return entry && JSON.stringify(tellingOf(entry))
  }

  /** What another gate knows of a pin it wrote after this one did. @returns its record */
  heard(cid: string, telling: string): PinRecord | undefined {
    const entry = entryOf(JSON.parse(telling) as Telling, this.now())
    this.note(cid, entry)
    return writtenIn(entry)?.record
  }

  /** For a later run of this gate: what is known of a pin; undefined: nothing. */
  kept(cid: string): KeptWrite | undefined {
    const entry = this.writes.get(cid)
    return entry && { cid, atMs: entry.atMs, ...tellingOf(entry) }
  }

  /** What an earlier run of this gate kept. */
  restore(kept: KeptWrite): void {
    // The clock may have been put back.
    this.writes.set(kept.cid, entryOf(kept, Math.min(kept.atMs, this.now())))
  }

  /** What is to be believed of a record that was read now. */
  over(cid: string, read: PinRecord | undefined): Seen {
    const entry = this.writes.get(cid)
    const write = entry && entry.atMs > this.now() - lagMsMax ? writtenIn(entry) : undefined
    if (entry === undefined || write === undefined) return { record: read, isForeign: false }
    const { isUnsure } = entry
    const laterBy =
      read === undefined ? -Infinity : secondsOf(read.writtenMs) - secondsOf(write.writtenMs)
    if (read === undefined || laterBy < 0) return { record: write.record, isForeign: false }
    if (laterBy === 0) return { record: sameSecond(write.record, read, isUnsure), isForeign: false }
    const isForeign = !isUnsure && leasesText(read) !== leasesText(write.record)
    return { record: read, isForeign }
  }

  /** When the cluster answered the last write of each pin, by this gate's clock; a thousand. */
  newestFirst(): readonly { readonly cid: string; readonly atMs: number }[] {
    const oldestMs = this.now() - this.keptMs
    const all = Array.from(this.writes.entries(), ([cid, { atMs }]) => ({ cid, atMs }))
    const kept = all.filter(({ atMs }) => atMs > oldestMs)
    return kept
      .reverse()
      .sort((one, other) => other.atMs - one.atMs)
      .slice(0, newestMax)
  }

  /** What has to be written again, as it is not in what was read; undefined: nothing. */
  forgotten(cid: string, read: PinRecord | undefined): Wanted {
    const entry = this.writes.get(cid)
    const write = entry?.isUnsure === false ? writtenIn(entry) : undefined
    if (write === undefined) return undefined
    const { record, writtenMs } = write
    const readMs = read === undefined ? -Infinity : secondsOf(read.writtenMs)
    if (record === undefined)
      return read !== undefined && readMs <= secondsOf(writtenMs) ? 'unpin' : undefined
    // What has run out meanwhile was swept away.
    return readMs < secondsOf(writtenMs) && record.expiresMs > this.now() ? record : undefined
  }

  private note(cid: string, entry: Entry): void {
    this.writes.set(cid, entry)
    this.onNoted(cid)
  }
}

/** Undefined: what the cluster answered was no record. */
export function readWritten(text: string): PinRecord | undefined {
  try {
    return readPinRecord(text)
  } catch {
    return undefined
  }
}

/** How gates tell each other of a write. */
interface Telling {
  /** Null: it was unpinned. */
  readonly text: string | null
  readonly isUnsure: boolean
  /** Of one that was unpinned; -Infinity becomes null. */
  readonly writtenMs: number | null
}

/** A write as a gate keeps it for a later run. */
export interface KeptWrite extends Telling {
  readonly cid: string
  /** When it was answered, by this host's clock. */
  readonly atMs: number
}

const tellingOf = ({ text, isUnsure, written }: Entry): Telling => ({
  text: text ?? null,
  isUnsure,
  writtenMs: typeof written === 'object' ? written.writtenMs : null,
})

function entryOf({ text, isUnsure, writtenMs }: Telling, atMs: number): Entry {
  const unpinned = { record: undefined, writtenMs: writtenMs ?? -Infinity }
  return { written: text ?? unpinned, text: text ?? undefined, atMs, isUnsure }
}

/** Most pins are never asked about again: so their records are made when somebody does. */
function writtenIn(entry: Entry): Written | undefined {
  if (typeof entry.written === 'string') {
    const record = readWritten(entry.written)
    entry.written = record && { record, writtenMs: record.writtenMs }
  }
  return entry.written
}

/** Ours, or one of ours that was lost on the way: which of them is later cannot be told. */
function sameSecond(
  record: PinRecord | undefined,
  read: PinRecord,
  isUnsure: boolean,
): PinRecord | undefined {
  if (record === undefined || !isUnsure) return record
  const others = record.leases.filter(
    ({ holder }) => !read.leases.some((lease) => lease.holder === holder),
  )
  const leases = [...read.leases.map((lease) => longest(lease, record.leases)), ...others]
  return { ...read, leases, expiresMs: Math.max(read.expiresMs, record.expiresMs) }
}

function longest(lease: Lease, others: readonly Lease[]): Lease {
  const other = others.find(({ holder }) => holder === lease.holder)
  return other !== undefined && other.untilMs > lease.untilMs ? other : lease
}

/** Read back, the cluster's times have whole seconds. */
const secondsOf = (ms: number): number => Math.floor(ms / 1000)

const leasesText = (record: PinRecord | undefined): string =>
  JSON.stringify(
    (record?.leases ?? []).toSorted((one, other) => (one.holder < other.holder ? -1 : 1)),
  )
