/** Messages that other gates have yet to read, kept on disk and bounded for each gate. */
import type { Logger } from '../log/logger.js'
import type { News } from './news.js'
import { LedgerFault, type LedgerOperation, type LedgerStorage } from './storage/ledger-storage.js'

export interface OutboxParts {
  readonly storage: Pick<LedgerStorage, 'contents' | 'note' | 'nextSeq'>
  readonly log: Logger
}

/** Most messages for a gate that stays down; beyond it the oldest are dropped. */
const newsMax = 10_000

export class Outbox {
  private readonly byGate = new Map<string, Map<string, News>>()
  /** Dropped since the start. */
  dropped = 0

  constructor(private readonly parts: OutboxParts) {
    for (const news of parts.storage.contents.outbox) this.put(news)
  }

  get size(): number {
    let size = 0
    for (const { size: count } of this.byGate.values()) size += count
    return size
  }

  get gates(): Iterable<string> {
    return this.byGate.keys()
  }

  /** The oldest. */
  of(gateId: string, count: number): readonly News[] {
    return [...(this.byGate.get(gateId)?.values() ?? [])].slice(0, count)
  }

  /** @returns operations for the disk, to be committed with the row */
  add(all: readonly Omit<News, 'seq'>[]): LedgerOperation[] {
    return all.flatMap((each): LedgerOperation[] => {
      if (this.byGate.get(each.to)?.has(keyOf(each)) === true) return []
      const seq = this.nextSeq()
      if (seq === undefined) return []
      const news = { ...each, seq }
      this.put(news)
      return [{ kind: 'news', news }]
    })
  }

  /** The gate has them on its disk. */
  acknowledge(gateId: string, upTo: number): void {
    const waiting = this.byGate.get(gateId)
    if (waiting === undefined) return
    let hasSome = false
    for (const [key, { seq }] of waiting)
      if (seq <= upTo) {
        waiting.delete(key)
        hasSome = true
      }
    if (waiting.size === 0) this.byGate.delete(gateId)
    if (hasSome) void this.parts.storage.note([{ kind: 'delivered', gateId, upTo }])
  }

  /** The gate was removed for good. */
  forget(gateId: string): void {
    this.acknowledge(gateId, Number.MAX_SAFE_INTEGER)
  }

  private put(news: News): void {
    const waiting = this.byGate.get(news.to) ?? new Map<string, News>()
    this.byGate.set(news.to, waiting.set(keyOf(news), news))
    const [oldest] = waiting.values()
    if (waiting.size <= newsMax || oldest === undefined) return
    waiting.delete(keyOf(oldest))
    this.dropped++
    if (this.dropped === 1) this.parts.log('error', { gate: news.to }, droppedNews)
    void this.parts.storage.note([{ kind: 'delivered', gateId: news.to, upTo: oldest.seq }])
  }

  /** Undefined: the disk is not writable, so there are no more numbers. */
  private nextSeq(): number | undefined {
    try {
      return this.parts.storage.nextSeq()
    } catch (error) {
      if (error instanceof LedgerFault) return undefined
      throw error
    }
  }
}

/** Repeated news is sent once. */
function keyOf({ cid, released, doubt }: Omit<News, 'seq'>): string {
  if (released === undefined) return `${cid} ${doubt ?? ''}`
  const { token, holder, upTo } = released
  return [cid, token, holder, ...(upTo === undefined ? [] : ['unseen'])].join(' ')
}

const droppedNews = 'dropped the oldest news for a gate that no longer reads any'
