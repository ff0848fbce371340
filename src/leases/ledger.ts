/** The leases of the cluster's pins: read before each change, and known again after it. */
import { type Answer, Whole } from '../cluster/answer.js'
import { ClusterFault } from '../cluster/faults.js'
import type { ClusterLink } from '../cluster/link.js'
import { type PinRecord, readPinRecord } from './pin-record.js'
import { RecentWrites } from './recent.js'
import { type Release, Turns } from './turns.js'

/** What was sent, and what came of it. */
export type Settle = (method: Method, error: Error | null, answer: Answer | undefined) => void

type Method = 'GET' | 'POST' | 'DELETE'

export interface LedgerEvents {
  /** Leases were changed by somebody else than this gate since it wrote them. */
  readonly onForeignHand: (cid: string) => void
}

/** A pin that nobody else changes until it is released. */
export interface OpenPin {
  /** Undefined: it is not in the pinset. */
  readonly record: PinRecord | undefined
  /** What came of the change, or that its answer was lost; ends the turn. */
  readonly settle: Settle
  /** Nothing was changed; ends the turn. */
  readonly release: Release
}

export class Ledger {
  private readonly turns = new Turns()
  private readonly recent = new RecentWrites()

  constructor(
    private readonly link: ClusterLink,
    private readonly events: LedgerEvents,
  ) {}

  /**
   * Waits for the turn and reads the record, without a question to Kubo.
   *
   * @param timeoutMs for both together
   * @throws ClusterFault; then nothing is held
   */
  async open(cid: string, headers: Headers, timeoutMs: number): Promise<OpenPin> {
    const startMs = performance.now()
    const release = await this.turns.take(cid, timeoutMs)
    try {
      const leftMs = timeoutMs - (performance.now() - startMs)
      const record = await this.look(cid, headers, leftMs)
      const settle: Settle = (method, error, answer) => {
        this.note(method, cid, record, error === null ? answer : undefined)
        release()
      }
      return { record, settle, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** The record as it is, whoever may be changing it. */
  async look(cid: string, headers: Headers, timeoutMs: number): Promise<PinRecord | undefined> {
    const { status, text } = await this.link.current.ask(`/allocations/${cid}`, headers, timeoutMs)
    if (status !== 200 && status !== 404) throw new ClusterFault('cluster-bad-answer', text)
    const read = status === 404 ? undefined : readPinRecord(text)
    const { record, isForeign } = this.recent.over(cid, read)
    if (isForeign) this.events.onForeignHand(cid)
    return record
  }

  private note(
    method: Method,
    cid: string,
    before: PinRecord | undefined,
    answer: Answer | undefined,
  ): void {
    if (method === 'GET') return
    const { statusCode, body } = answer ?? {}
    const isGone = method === 'DELETE' && (statusCode === 200 || statusCode === 404)
    const written = statusCode === 200 && body instanceof Whole ? recordIn(body) : undefined
    if (isGone) this.recent.removed(cid, before?.writtenMs ?? -Infinity)
    else if (written !== undefined) this.recent.wrote(written)
    // A refusal of the cluster's changed nothing.
    else if (statusCode !== 400 && statusCode !== 404) this.recent.lost(cid)
  }
}

function recordIn({ bytes }: Whole): PinRecord | undefined {
  try {
    return readPinRecord(bytes.toString())
  } catch {
    return undefined
  }
}

type Headers = Readonly<Record<string, string>>
