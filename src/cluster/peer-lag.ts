/**
 * Measures whether the peers keep up: it looks for the last write at each peer. A peer that was
 * killed may lack writes for minutes, and gives old answers.
 */
import { Scheduler } from '../time/scheduler.js'
import type { Timers } from '../time/clock.js'
import { pinIn } from './recent-changes.js'

/** When an endpoint's record of a pin was written; undefined: it has none. */
export type SeenAt = number | undefined

export interface PeerLagParts extends Timers {
  /** @throws when an endpoint does not answer */
  readonly read: (endpoint: string, cid: string) => Promise<SeenAt>
  /** The available endpoints. */
  readonly available: () => readonly string[]
  readonly onChange: (endpoint: string, change: LagChange) => void
}

/** The lag so far; or the endpoint has caught up. */
export interface LagChange {
  readonly isBehind: boolean
  readonly lagMs: number
}

/** A write reaches other peers sooner, unless it waits in a batch. */
const checkMs = 10_000

/** Between checks without writes or lag. */
const idleMs = 60_000

/** An endpoint may be behind for this long before the gate reports it. */
const reportMs = 30_000

interface Sample {
  readonly cid: string
  readonly isUnpinned: boolean
  readonly atMs: number
}

export class PeerLag {
  private newest: Sample | undefined
  private sample: Sample | undefined
  /** Endpoint → since when it has lacked what another one has. */
  private readonly behind = new Map<string, number>()
  private readonly reported = new Set<string>()
  private readonly scheduler: Scheduler

  constructor(private readonly parts: PeerLagParts) {
    this.scheduler = new Scheduler(() => this.round(), parts)
  }

  /** Called when an endpoint has confirmed a write. */
  wrote(method: string, path: string): void {
    const cid = pinIn(path)?.slice('/pins/'.length)
    if (cid === undefined || path.includes('/recover')) return
    // Between two writes of one pin, peers need not agree.
    if (this.sample?.cid === cid) this.sample = undefined
    this.newest = { cid, isUnpinned: method === 'DELETE', atMs: this.parts.monotonic() }
    this.scheduler.runWithin(checkMs)
  }

  /** Called when an endpoint is back, perhaps without its last writes. */
  returned(): void {
    this.scheduler.runWithin(checkMs)
  }

  isBehind(endpoint: string): boolean {
    return this.behind.has(endpoint)
  }

  /** How long it has been behind, in milliseconds. */
  lagMs(endpoint: string): number {
    const sinceMs = this.behind.get(endpoint)
    return sinceMs === undefined ? 0 : this.parts.monotonic() - sinceMs
  }

  close(): void {
    this.scheduler.close()
  }

  /** @returns milliseconds to the next one */
  private async round(): Promise<number> {
    const { sample } = this
    const isAgreed = sample !== undefined && (await this.look(sample))
    if (this.sample !== undefined && !isAgreed) return checkMs
    if (this.newest === undefined) return idleMs
    this.sample = this.newest
    this.newest = undefined
    return checkMs
  }

  /** @returns whether all endpoints agree */
  private async look(sample: Sample): Promise<boolean> {
    const { available, read } = this.parts
    const asked = available().map(async (endpoint) => ({
      endpoint,
      at: await read(endpoint, sample.cid),
    }))
    const seen = (await Promise.allSettled(asked)).flatMap((one) =>
      one.status === 'fulfilled' ? [one.value] : [],
    )
    // The pin was written again meanwhile, or there is no other peer.
    if (this.sample !== sample || seen.length < 2) return false
    const newest = Math.max(...seen.map(({ at }) => at ?? -Infinity))
    const isUnpinned = sample.isUnpinned && seen.some(({ at }) => at === undefined)
    const current = isUnpinned ? undefined : newest
    for (const { endpoint, at } of seen)
      this.judge(endpoint, at === current || newest === -Infinity, sample.atMs)
    return !seen.some(({ endpoint }) => this.behind.has(endpoint))
  }

  private judge(endpoint: string, isCurrent: boolean, sinceMs: number): void {
    const { onChange } = this.parts
    if (!isCurrent && !this.behind.has(endpoint)) this.behind.set(endpoint, sinceMs)
    const lagMs = this.lagMs(endpoint)
    if (isCurrent) {
      this.behind.delete(endpoint)
      if (this.reported.delete(endpoint)) onChange(endpoint, { isBehind: false, lagMs })
    } else if (lagMs >= reportMs && !this.reported.has(endpoint)) {
      this.reported.add(endpoint)
      onChange(endpoint, { isBehind: true, lagMs })
    }
  }
}
