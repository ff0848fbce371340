/** The pinset and what Kubo makes of it; big pinsets are made up while they are walked. */
import { cidBytes, decodeCid, printCid } from './cids.js'
import { noOptions, type PinOptions } from './options.js'
import { nowNanos, wholeSeconds } from './times.js'

export type PinType = 'pin' | 'meta-pin' | 'clusterdag-pin' | 'shard-pin'

export type Status =
  | 'cluster_error'
  | 'pin_error'
  | 'unpin_error'
  | 'pinned'
  | 'pinning'
  | 'unpinning'
  | 'unpinned'
  | 'remote'
  | 'pin_queued'
  | 'unpin_queued'
  | 'sharded'
  | 'unexpectedly_unpinned'

/** A pin as the cluster's state holds it. */
export interface Pin extends PinOptions {
  readonly cid: string
  type: PinType
  allocations: readonly string[]
  maxDepth: number
  timestamp: string
}

/** Where the cluster is with a CID. */
export interface Progress {
  readonly status: Status
  readonly error: string
  readonly timestamp: string
  /** How often Kubo was asked to pin it. */
  readonly attempts: number
}

export type PinFields = Partial<Omit<Pin, 'cid'>> & { status?: Status; error?: string }

const generatedTail = Buffer.from('made up by the fake cluster.')

/** Looks like a Map from canonical CID to pin. */
export class PinState {
  readonly #pins = new Map<string, Pin>()
  readonly #progress = new Map<string, Progress>()
  readonly #removed = new Set<number>()
  #generated = 0

  get size(): number {
    let shadowed = 0
    if (this.#generated > 0)
      for (const cid of this.#pins.keys()) shadowed += this.#indexOf(cid) >= 0 ? 1 : 0
    return this.#pins.size + this.#generated - this.#removed.size - shadowed
  }

  has(cid: string): boolean {
    return this.get(cid) !== undefined
  }

  get(cid: string): Pin | undefined {
    return this.#pins.get(cid) ?? (this.#indexOf(cid) < 0 ? undefined : plainPin(cid, {}))
  }

  /** Stores a pin as the cluster does: no user allocations, whole seconds, mode by depth. */
  set(cid: string, pin: Pin): this {
    this.#pins.set(cid, {
      ...pin,
      cid,
      mode: pin.maxDepth === 0 ? 'direct' : 'recursive',
      userAllocations: null,
      metadata: pin.metadata?.size === 0 ? null : pin.metadata,
      origins: pin.origins ?? [],
      expireAt: wholeSeconds(pin.expireAt),
      timestamp: wholeSeconds(pin.timestamp),
    })
    return this
  }

  delete(cid: string): boolean {
    const index = this.#indexOf(cid)
    if (index >= 0) this.#removed.add(index)
    this.#progress.delete(cid)
    return this.#pins.delete(cid) || index >= 0
  }

  clear(): void {
    this.#pins.clear()
    this.#progress.clear()
    this.#removed.clear()
    this.#generated = 0
  }

  /** @returns what makes it forget all that was written since, as one does that is killed */
  mark(): () => void {
    const [pins, removed, progress] = [[...this.#pins], [...this.#removed], [...this.#progress]]
    const generated = this.#generated
    return () => {
      this.clear()
      for (const [cid, pin] of pins) this.#pins.set(cid, pin)
      for (const index of removed) this.#removed.add(index)
      for (const [cid, step] of progress) this.#progress.set(cid, step)
      this.#generated = generated
    }
  }

  *keys(): Generator<string> {
    for (const pin of this.values()) yield pin.cid
  }

  *values(): Generator<Pin> {
    yield* this.#pins.values()
    for (let index = 0; index < this.#generated; index++) {
      const cid = generatedCid(index)
      if (!this.#removed.has(index) && !this.#pins.has(cid)) yield plainPin(cid, {})
    }
  }

  /** Any spelling of the CID; returns the canonical one. */
  add(cid: string, { status, error, ...fields }: PinFields = {}): string {
    const canonical = decodeCid(cid)
    this.set(canonical, plainPin(canonical, fields))
    this.setStatus(canonical, status ?? 'pinned', error)
    return canonical
  }

  /** Adds so many plain pins, without holding an object for each. */
  addMany(count: number): void {
    this.#generated += count
  }

  /** What is in flight for a CID; also for one that is not, or no longer, in the pinset. */
  setStatus(cid: string, status: Status, error = ''): void {
    const canonical = decodeCid(cid)
    if (status === 'pinned' || status === 'unpinned') this.#progress.delete(canonical)
    else {
      const attempts = status === 'pinning' || status === 'pin_error' ? 1 : 0
      this.#progress.set(canonical, { status, error, timestamp: nowNanos(), attempts })
    }
  }

  progressOf(cid: string): Progress | undefined {
    return this.#progress.get(cid)
  }

  /** All that is not simply pinned. */
  progress(): Iterable<[string, Progress]> {
    return this.#progress
  }

  #indexOf(cid: string): number {
    if (this.#generated === 0) return -1
    let bytes
    try {
      bytes = Buffer.from(cidBytes(cid))
    } catch {
      return -1
    }
    if (bytes.length !== 34 || !bytes.subarray(6).equals(generatedTail)) return -1
    const index = bytes.readUInt32BE(2)
    return index < this.#generated && !this.#removed.has(index) ? index : -1
  }
}

/** The CID of a pin that addMany made; counted from 0. */
export function generatedCid(index: number): string {
  const start = Buffer.from([0x12, 0x20, 0, 0, 0, 0])
  start.writeUInt32BE(index, 2)
  return printCid(Buffer.concat([start, generatedTail]))
}

function plainPin(cid: string, fields: PinFields): Pin {
  return {
    ...noOptions(),
    replicationMin: -1,
    replicationMax: -1,
    origins: [],
    cid,
    type: 'pin',
    allocations: [],
    maxDepth: -1,
    timestamp: '2025-05-16T10:06:40Z',
    ...fields,
  }
}
