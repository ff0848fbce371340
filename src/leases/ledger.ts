/** The leases of the cluster's pins: read before each change, and known again after it. */
import { type Answer, Whole } from '../cluster/answer-handler.js'
import { Exchange } from '../cluster/exchange.js'
import { ClusterFault } from '../cluster/faults.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import type { SetTimer } from '../time/set-timer.js'
import { Aftercare, isNearSweep } from './aftercare.js'
import { liveLeases } from './decide.js'
import {
  type Method,
  type OpenPin,
  type RecordOf,
  type Settle,
  tried,
  type Wanted,
} from './open-pin.js'
import { type PinRecord, readPinRecord, writing } from './pin-record.js'
import { putBack, Recheck } from './recheck.js'
import { readWritten, type RecentWrites } from './recent.js'
import { LockTimeout } from './lock-timeout.js'
import type { SharedTurn, SharedTurns } from './shared-turns.js'
import { Turns } from './turns.js'

export type { OpenPin, RecordOf, Settle, Wanted } from './open-pin.js'
type Headers = Readonly<Record<string, string>>

export interface LedgerParts {
  readonly link: ClusterClient
  readonly recent: RecentWrites
  /** Of questions that no client asked. */
  readonly headers: Headers
  /** Longest time of one change that no client asked for. */
  readonly timeoutMs: () => number
  readonly later?: SetTimer | undefined
  /** Undefined: this gate alone writes the cluster. */
  readonly shared?: SharedTurns | undefined
  /** Leases that gates wrote over each other are written again. */
  readonly onPutBack?: (cid: string) => void
  /** Leases were changed by somebody else than this gate since it wrote them. */
  readonly onForeignHand: (cid: string) => void
  /** A pin that was renewed at its last moment was swept away, and was pinned again. */
  readonly onPinnedAgain: (cid: string) => void
  /** It could not be seen whether it was swept away. */
  readonly onUnseen: (cid: string, error: unknown) => void
  /** A record was written or removed. */
  readonly onChange?: (cid: string, before: PinRecord | undefined, after: RecordOf) => void
}

export class Ledger {
  private readonly turns = new Turns()
  private readonly recent: RecentWrites
  private readonly aftercare: Aftercare
  private readonly recheck: Recheck

  constructor(private readonly parts: LedgerParts) {
    this.recent = parts.recent
    this.aftercare = new Aftercare({
      restore: (cid) => this.pinAgain(cid),
      onError: parts.onUnseen,
      later: parts.later,
    })
    this.recheck = new Recheck({
      restore: (cid) => this.putBack(cid),
      onError: parts.onUnseen,
      later: parts.later,
    })
    parts.shared?.whenDown(() => {
      this.recheck.allDoubtful()
    })
  }

  /**
   * Waits for the turn and reads the record, without a question to Kubo.
   *
   * @param timeoutMs for both together
   * @throws ClusterFault, LockTimeout, StoreFault; then nothing is held
   */
  async open(cid: string, headers: Headers, timeoutMs: number): Promise<OpenPin> {
    const startMs = performance.now()
    const leftMs = () => timeoutMs - (performance.now() - startMs)
    const endOwn = await this.turns.take(cid, timeoutMs)
    let shared: SharedTurn | undefined
    let isOver = false
    const release = (): void => {
      if (!isOver) void shared?.end(undefined)
      isOver = true
      endOwn()
    }
    try {
      shared = await this.parts.shared?.take(cid, leftMs())
      const telling = shared?.written
      const elsewhere = telling === undefined ? undefined : this.recent.heard(cid, telling)
      if (leftMs() <= 0) throw new LockTimeout()
      const { read, record } = await this.see(cid, headers, leftMs())
      const settle: Settle = (method, error, answer) => {
        this.note(method, cid, record, error === null ? answer : undefined)
        if (!isOver && method !== 'GET') this.endShared(cid, shared)
        isOver ||= method !== 'GET'
        release()
      }
      const isMissing = read === undefined && record !== undefined
      return { record, isMissing, read, elsewhere, settle, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Tells the other gates what was written; who was not alone looks at it again. */
  private endShared(cid: string, shared: SharedTurn | undefined): void {
    if (this.parts.shared === undefined) return
    const ending = shared?.end(this.recent.told(cid)) ?? Promise.resolve(false)
    void ending.then((wasAlone) => {
      if (wasAlone) return
      this.recent.lost(cid)
      this.recheck.doubtful(cid)
    })
  }

  /** The record as it is, whoever may be changing it. */
  async look(cid: string, headers: Headers, timeoutMs: number): Promise<PinRecord | undefined> {
    return (await this.see(cid, headers, timeoutMs)).record
  }

  /** Whether every peer that it is allocated to has it; asks Kubo. */
  async isFinished(
    cid: string,
    headers = this.parts.headers,
    timeoutMs = this.parts.timeoutMs(),
  ): Promise<boolean> {
    const { link } = this.parts
    const { status, text } = await link.current.ask(`/pins/${cid}`, headers, timeoutMs)
    if (status !== 200) return false
    const { peer_map: peers } = JSON.parse(text) as { peer_map?: Record<string, Peer> | null }
    const statuses = Object.values(peers ?? {}).map((peer) => peer.status)
    const own = statuses.filter((word) => word !== 'remote')
    return own.length > 0 && own.every((word) => word === 'pinned')
  }

  /**
   * Reads a pin and changes it, for nobody's request.
   *
   * @param change what becomes of it; undefined: it stays as it is
   * @throws ClusterFault, also when the cluster refuses it; LockTimeout, StoreFault
   */
  async change(cid: string, change: (pin: OpenPin) => Promise<Wanted> | Wanted): Promise<void> {
    const { headers, timeoutMs } = this.parts
    const pin = await this.open(cid, headers, timeoutMs())
    const wanted = await tried(pin, change)
    if (wanted === undefined) {
      pin.release()
      return
    }
    const method = wanted === 'unpin' ? 'DELETE' : 'POST'
    const { path, query } =
      wanted === 'unpin' ? { path: `/pins/${cid}`, query: '' } : writing(wanted)
    await this.send(method, query === '' ? path : `${path}?${query}`, pin.settle)
  }

  close(): void {
    this.aftercare.close()
    this.recheck.close()
  }

  private send(method: 'POST' | 'DELETE', path: string, settle: Settle): Promise<void> {
    const { link, headers, timeoutMs } = this.parts
    const options = { isListing: false, isWhole: true, timeoutMs: timeoutMs() }
    const exchange = new Exchange({ ...options, onEnd: () => undefined, changes: 'all' })
    return new Promise((resolve, reject) => {
      link.ask(exchange, { method, path, headers }, (error, answer) => {
        settle(method, error, answer)
        if (error !== null) reject(error)
        else if (answer.statusCode === 200) resolve()
        else reject(new ClusterFault('cluster-bad-answer', textOf(answer)))
      })
    })
  }

  private async see(cid: string, headers: Headers, timeoutMs: number) {
    const { link, onForeignHand } = this.parts
    const { status, text } = await link.current.ask(`/allocations/${cid}`, headers, timeoutMs)
    if (status !== 200 && status !== 404) throw new ClusterFault('cluster-bad-answer', text)
    const read = status === 404 ? undefined : readPinRecord(text)
    const { record, isForeign } = this.recent.over(cid, read)
    if (isForeign) onForeignHand(cid)
    return { read, record }
  }

  private note(
    method: Method,
    cid: string,
    before: PinRecord | undefined,
    answer: Answer | undefined,
  ): void {
    if (method === 'GET') return
    const { statusCode } = answer ?? {}
    const isGone = method === 'DELETE' && (statusCode === 200 || statusCode === 404)
    const text = statusCode === 200 && method === 'POST' ? textIn(answer) : undefined
    const written = text === undefined ? undefined : () => readWritten(text)
    if (isGone) this.recent.removed(cid, before?.writtenMs ?? -Infinity)
    else if (text !== undefined) {
      this.recent.wrote(cid, text)
      if (isNearSweep(before, Date.now())) this.aftercare.watch(cid)
    }
    // A refusal of the cluster's changed nothing.
    else if (statusCode !== 400 && statusCode !== 404) this.recent.lost(cid)
    if (!isGone && written === undefined) return
    const after = isGone ? nothing : (written ?? nothing)
    this.parts.onChange?.(cid, before, after)
    if (this.parts.shared !== undefined) this.recheck.wrote(cid, before, after)
  }

  /** False: there is nothing of ours to look after. */
  private async putBack(cid: string): Promise<boolean> {
    let isOurs = false
    await this.change(cid, ({ read, elsewhere }) => {
      const own = this.recheck.of(cid)
      isOurs = own.wanted.length > 0
      const whole = putBack(read, own, elsewhere, Date.now())
      if (whole !== undefined) this.parts.onPutBack?.(cid)
      return whole
    })
    return isOurs
  }

  /** False: nobody holds it any more. */
  private async pinAgain(cid: string): Promise<boolean> {
    let isHeld = false
    await this.change(cid, ({ record, isMissing }) => {
      isHeld = record !== undefined && liveLeases(record, Date.now()).length > 0
      if (!isHeld || !isMissing || record === undefined) return undefined
      this.parts.onPinnedAgain(cid)
      return record
    })
    return isHeld
  }
}

interface Peer {
  readonly status?: string
}

const textOf = ({ statusCode, body }: Answer): Error =>
  new Error(`${statusCode}: ${body instanceof Whole ? body.text.trim() : ''}`)

const nothing = () => undefined

/** Its bytes are the connection's: they are copied now, and read if ever. */
const textIn = (answer: Answer | undefined): string | undefined =>
  answer?.body instanceof Whole ? answer.body.text : undefined
