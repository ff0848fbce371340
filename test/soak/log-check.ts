/** Reads the daemon's log, file by file, and holds it against the answers that were read. */
import { createReadStream, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type Ledger, numberOf } from './ledger.js'
import type { TroubleHistory } from './troubles.js'

interface Line {
  readonly time: string
  readonly level: string
  readonly msg?: string
  readonly id?: string
  readonly status?: number
  readonly outcome?: string
  readonly reason?: string
}

/** The log reports as an error what the soak does to the cluster. */
const clusterDown = 'the cluster went down: no endpoint is available'

export class LogCheck {
  /** Of requests; each has one. */
  lines = 0
  readonly outcomes = new Map<string, number>()
  readonly reasons = new Map<string, number>()
  private readonly logged = new Set<number>()
  /** By number of their id: lines whose answer was not read, or not yet when the line was. */
  private readonly unclaimed = new Map<number, { readonly status: number; readonly text: string }>()
  private waiting: string | undefined

  constructor(
    private readonly ledger: Ledger,
    private readonly history: TroubleHistory,
  ) {}

  /** What is still on its way to a moved file is there when the next one is moved. */
  async readMoved(path: string): Promise<void> {
    const before = this.waiting
    this.waiting = path
    if (before !== undefined) await this.read(before)
  }

  /** Reads the rest, and says of all what is missing and what is too much. */
  async finish(path: string): Promise<void> {
    if (this.waiting !== undefined) await this.read(this.waiting)
    await this.read(path)
    const { ledger, unclaimed } = this
    for (const [number, { status, text }] of unclaimed) {
      if (this.claim(number, status, text)) unclaimed.delete(number)
    }
    const unlogged = ledger.answers.size
    if (unlogged > 0) ledger.wrong(`${unlogged} answered requests have no line in the log`)
    if (unclaimed.size > ledger.unseen) {
      ledger.wrong(
        `${unclaimed.size} lines are of requests without an answer; ` +
          `no more than ${ledger.unseen} were asked`,
      )
    }
  }

  get unclaimedCount(): number {
    return this.unclaimed.size
  }

  private async read(path: string): Promise<void> {
    for await (const text of createInterface({ input: createReadStream(path) })) this.take(text)
    rmSync(path)
  }

  private take(text: string): void {
    const { time, level, msg, id, status = 0, outcome, reason } = JSON.parse(text) as Line
    if (outcome === undefined || id === undefined) {
      const isTrouble = level === 'error' || level === 'fatal'
      const isTold = msg === clusterDown && this.history.wasTroubled(Date.parse(time))
      if (isTrouble && !isTold) this.ledger.wrong(`logged: ${text}`)
      return
    }
    this.lines++
    count(this.outcomes, outcome)
    if (reason !== undefined) count(this.reasons, reason)
    if (outcome === 'bug') this.ledger.wrong(`a bug: ${text}`)
    const number = numberOf(id)
    this.ledger.logged(number, text)
    if (this.logged.has(number)) this.ledger.wrong(`a second line of one request: ${text}`)
    this.logged.add(number)
    if (!this.claim(number, status, text)) this.unclaimed.set(number, { status, text })
  }

  private claim(number: number, status: number, text: string): boolean {
    const { answers } = this.ledger
    const read = answers.get(number)
    if (read === undefined) return false
    answers.delete(number)
    if (read !== status) this.ledger.wrong(`answered with ${read}, but logged: ${text}`)
    return true
  }
}

function count(counts: Map<string, number>, word: string): void {
  counts.set(word, (counts.get(word) ?? 0) + 1)
}
