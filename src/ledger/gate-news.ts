/**
 * Messages between gates of one cluster. A gate repairs only leases that it wrote, so it has to
 * learn when another gate released them, and where its writes may have been overwritten. A message
 * waits on the sender's disk until it is on the receiver's.
 */
import { latestTokens, tokenText } from '../leases/lease.js'
import type { Logger } from '../log/logger.js'
import { Scheduler } from '../time/scheduler.js'
import type { Timers } from '../time/clock.js'
import type { DoubtReason } from './doubt.js'
import type { GateMail } from './gate-mail.js'
import { answerMsMax, Hearing } from './hearing.js'
import {
  type GateState,
  type Mail,
  type News,
  readMail,
  readState,
  type ReleasedElsewhere,
  stateVersion,
} from './news.js'
import { Outbox } from './outbox.js'
import { LedgerFault, type LedgerStorage } from './storage/ledger-storage.js'

export interface GateNewsParts extends Timers {
  readonly storage: Pick<
    LedgerStorage,
    'gateId' | 'contents' | 'note' | 'commit' | 'nextSeq' | 'lastSeq'
  >
  readonly mail: GateMail
  /** Takes a message, so that it is noted before a later commit. */
  readonly onNews: (news: News) => Promise<void>
  /** What the store held of the last writes is gone. */
  readonly onLost: () => void
  readonly log: Logger
}

/** Delays between rounds: while a caller waits, otherwise, and while the store is down. */
const busyMs = 500
const idleMs = 5000
const awayMs = 1000

/** What came of a change is known to its gate by then, with rare exceptions. */
const changeMs = 2000

/** News in one mail. */
const mailMax = 500

/** A gate without a disk counts as removed after this silence: it has nothing more to say. */
const silentMsMax = 60_000

/** A gate that was seen since then is present. */
const aliveMs = 15_000

/** Gates that an operator removed for good. */
const goneMax = 64

interface Other {
  /** The last round of it that was seen, and when that was. */
  readonly round: string
  readonly seenMs: number
  readonly isVolatile: boolean
  /** Whether this release understands its messages. */
  readonly isKnown: boolean
  readonly isClosed: boolean
  readonly asks: boolean
  /** The last number that it had given out by then; undefined: unknown. */
  readonly seq: number | undefined
  /** Up to this number its news is on this gate's disk. */
  appliedSeq: number
}

export class GateNews {
  private readonly outbox: Outbox
  private readonly hearing: Hearing
  private readonly others = new Map<string, Other>()
  /** Removed gates, with the last round that was seen of each. */
  private readonly gone = new Map<string, string>()
  private readonly scheduler: Scheduler
  private generation: string | undefined
  private readonly run: number
  private round = 0
  private wants = false
  private isClosed = false
  private isLogged = false

  constructor(private readonly parts: GateNewsParts) {
    const { storage, log } = parts
    this.outbox = new Outbox({ storage, log })
    this.run = numberOf(storage)
    this.hearing = new Hearing(storage.contents.gates, parts.monotonic)
    this.scheduler = new Scheduler(() => this.exchange(), parts)
    // A copy of a ledger lacks the releases made since: it sends nothing.
    if (!storage.contents.isCopy) this.scheduler.runWithin(0)
  }

  /** Whether this gate knows the others' releases up to now; asks them if not. */
  get isCurrent(): boolean {
    const { isCurrent } = this.hearing
    if (!isCurrent && !this.wants && !this.parts.storage.contents.isCopy) {
      this.wants = true
      this.scheduler.runWithin(busyMs)
    }
    return isCurrent
  }

  /**
   * Asks the others for what they changed until now.
   * @returns false: one of them does not answer
   */
  async hearAll(): Promise<boolean> {
    const { monotonic, setTimer } = this.parts
    const sinceMs = monotonic() + changeMs
    while (!this.hearing.isSince(sinceMs)) {
      if (this.isClosed || monotonic() > sinceMs + answerMsMax) return false
      this.wants = true
      this.scheduler.runWithin(busyMs)
      await new Promise<void>((resolve) => setTimer(busyMs, resolve))
    }
    return true
  }

  /** Whether another gate has answered lately; undefined: this gate hears no gate at all. */
  answers(gateId: string): boolean | undefined {
    return this.hearing.answers(gateId)
  }

  /** Other gates that were never heard, or not lately. */
  get unheard(): readonly string[] {
    return this.hearing.unheard
  }

  /** Messages that wait; messages dropped since the start. */
  get figures(): { readonly waiting: number; readonly dropped: number } {
    return { waiting: this.outbox.size, dropped: this.outbox.dropped }
  }

  /** Another gate's lease was released. @returns to be noted with the row */
  released(gateId: string, cid: string, released: ReleasedElsewhere) {
    return this.send([{ to: gateId, cid, released }])
  }

  /** The last token of each other gate by its last round, or by its open changes of a pin. */
  writtenBy(open: readonly string[]): readonly string[] {
    const rounds = [...this.others].flatMap(([gateId, { seq }]) =>
      seq === undefined ? [] : [tokenText({ gateId, seq })],
    )
    return latestTokens([...rounds, ...open])
  }

  /**
   * A gate's lease was restored although the cluster did not show it: it may have been released.
   */
  rewritten(gateId: string, cid: string) {
    return this.send([{ to: gateId, cid, doubt: 'lock-lost' }])
  }

  /**
   * Every other gate may have been overwritten.
   * @param gateIds also those that this one has not met yet
   */
  doubted(cid: string, doubt: DoubtReason, gateIds: readonly string[] = []): void {
    const operations = this.sendToAll({ cid, doubt }, gateIds)
    if (operations.length > 0) void this.parts.storage.note(operations)
  }

  /** No gate owes any of it from now on. @returns to be noted with the row */
  takenDown(cid: string, released: News['released']) {
    return this.sendToAll({ cid, released })
  }

  /**
   * An operator says that a gate is gone for good: no gate waits for it. @returns whether it was
   */
  async forget(gateId: string): Promise<boolean> {
    const isOther = this.hearing.gates.includes(gateId) || this.others.has(gateId)
    if (!isOther) return false
    this.leave(gateId, this.others.get(gateId)?.round ?? '')
    await this.parts.storage.commit([])
    this.scheduler.runWithin(0)
    return true
  }

  /** Sends the remaining messages, and that no more will follow. */
  async close(): Promise<void> {
    this.scheduler.close()
    const { isCopy } = this.parts.storage.contents
    // After a start it has met no gate yet, and so has no mail for any.
    if (!isCopy && this.others.size === 0) await this.exchange()
    this.isClosed = true
    if (!isCopy) await this.exchange()
  }

  private sendToAll(news: Omit<News, 'seq' | 'to'>, gateIds: readonly string[] = []) {
    const gates = new Set([...this.hearing.gates, ...this.others.keys(), ...gateIds])
    return this.send([...gates].map((to) => ({ ...news, to })))
  }

  private send(news: readonly Omit<News, 'seq'>[]) {
    if (news.some(({ to }) => this.others.has(to))) this.scheduler.runWithin(busyMs)
    return this.outbox.add(news)
  }

  private leave(gateId: string, round: string): void {
    const { storage, mail } = this.parts
    this.gone.set(gateId, round)
    const [oldest] = this.gone.keys()
    if (this.gone.size > goneMax && oldest !== undefined) this.gone.delete(oldest)
    this.others.delete(gateId)
    this.hearing.forget(gateId)
    this.outbox.forget(gateId)
    void storage.note([{ kind: 'gate', gateId, isForgotten: true }])
    void mail.drop([gateId])
  }

  /** @returns milliseconds to the next round */
  private async exchange(): Promise<number> {
    const { mail, log } = this.parts
    let isMore = false
    try {
      const taken = await mail.exchange(this.state(), this.mails())
      if (taken === undefined) {
        // Only the other gates know the releases that they made meanwhile.
        this.hearing.restart()
        return awayMs
      }
      this.seeGeneration(taken.generation)
      this.seeStates(taken.states)
      for (const [id, text] of taken.mails) isMore = (await this.takeMail(id, text)) || isMore
      this.hearing.done()
      this.isLogged = false
    } catch (err) {
      // A message stays in the store until it is on this gate's disk.
      if (!this.isLogged) log('warn', { err }, 'could not apply news of another gate yet')
      this.isLogged = true
      return awayMs
    }
    if (this.hearing.isCurrent) this.wants = false
    return isMore || this.wants || this.isAwaited() ? busyMs : idleMs
  }

  private state(): string {
    const { storage } = this.parts
    // The ledger gives out each number once, so no earlier run has used it.
    const round = `${this.run}.${++this.round}`
    this.hearing.ask(round)
    const applied = [...this.others].map(([id, { appliedSeq }]) => [id, appliedSeq] as const)
    return JSON.stringify({
      ...{ v: stateVersion, round, asks: this.wants, seq: storage.lastSeq },
      applied: Object.fromEntries(applied),
      ...{ isVolatile: storage.contents.isVolatile, isClosed: this.isClosed },
      gone: [...this.gone.keys()],
    } satisfies GateState)
  }

  /** Whether a present gate is waiting for this one's news. */
  private isAwaited(): boolean {
    const sinceMs = this.parts.monotonic() - aliveMs
    return [...this.others].some(
      ([id, { asks, seenMs }]) => seenMs > sinceMs && (asks || this.outbox.of(id, 1).length > 0),
    )
  }

  private mails(): ReadonlyMap<string, string> {
    const mails = new Map<string, string>()
    for (const [id, { round }] of this.others) {
      const news = this.outbox.of(id, mailMax)
      const isAll = news.length < mailMax
      mails.set(id, JSON.stringify({ ...(isAll && { heard: round }), news } satisfies Mail))
    }
    return mails
  }

  private seeGeneration(generation: string): void {
    if (this.generation !== undefined && generation !== this.generation) {
      this.hearing.restart()
      this.parts.onLost()
    }
    this.generation = generation
  }

  private seeStates(states: ReadonlyMap<string, string>): void {
    const { storage, monotonic } = this.parts
    const seen = new Map(
      [...states]
        .filter(([id]) => id !== storage.gateId)
        .map(([id, text]) => [id, readState(text)] as const),
    )
    for (const id of [...this.others.keys()]) if (!seen.has(id)) this.others.delete(id)
    for (const [id, state] of seen)
      if (this.gone.get(id) === state.round) void this.parts.mail.drop([id])
      else this.seeState(id, state)
    for (const { gone } of seen.values())
      for (const id of gone)
        if (id !== storage.gateId && !this.others.has(id) && !this.gone.has(id)) this.leave(id, '')
    // A gate whose ledger was only in memory has nothing more to send.
    for (const [id, { isVolatile, seenMs, round }] of [...this.others])
      if (isVolatile && seenMs < monotonic() - silentMsMax) this.leave(id, round)
  }

  private seeState(id: string, state: GateState): void {
    const { storage, monotonic, log } = this.parts
    const other = this.others.get(id)
    const { round, seq, asks, isVolatile, isClosed } = state
    const isKnown = state.v <= stateVersion
    if (other === undefined && !isKnown) log('error', { gate: id }, newerGate)
    this.others.set(id, {
      ...{ round, seq, asks, isVolatile, isClosed, isKnown },
      seenMs: other?.round === round ? other.seenMs : monotonic(),
      appliedSeq: other?.appliedSeq ?? -1,
    })
    if (!isClosed) this.hearing.isBack(id)
    this.gone.delete(id)
    if (this.hearing.add(id) && !isVolatile)
      void storage.note([{ kind: 'gate', gateId: id, isForgotten: false }])
    const acknowledged = state.applied[storage.gateId]
    if (acknowledged !== undefined) this.outbox.acknowledge(id, acknowledged)
  }

  /** @returns whether there was any news */
  private async takeMail(id: string, text: string): Promise<boolean> {
    const { storage, onNews } = this.parts
    const other = this.others.get(id)
    if (!other?.isKnown) return false
    const { news, heard } = readMail(text)
    const fresh = news.filter(({ seq }) => seq > other.appliedSeq)
    for (const each of fresh) await onNews(each)
    if (fresh.length > 0) await storage.commit([])
    other.appliedSeq = Math.max(other.appliedSeq, ...fresh.map(({ seq }) => seq))
    if (heard !== undefined) {
      this.hearing.heard(id, heard)
      if (other.isClosed) this.hearing.heardAll(id)
    }
    return fresh.length > 0
  }
}

/** While the disk gives no number, the time serves as one. */
function numberOf(storage: Pick<LedgerStorage, 'nextSeq'>): number {
  try {
    return storage.nextSeq()
  } catch (error) {
    if (error instanceof LedgerFault) return Date.now()
    throw error
  }
}

const newerGate =
  'another gate runs a newer release; this one repairs nothing until both run the same'
