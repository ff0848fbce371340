/** What was asked and answered so far, and everything that was wrong. */
import type { Answer } from './wire.js'

const namedMax = 20

export class Ledger {
  asked = 0
  /** Requests that may have a line in the log though no answer to them was seen. */
  unseen = 0
  /** Answers by what a row of the report says of them. */
  readonly counts = { ok: 0, refused: 0, limited: 0, failed: 0, cut: 0 }
  wrongs = 0
  /** The first ones. */
  readonly named: string[] = []
  /** By number of their id: where the named ones are. */
  private readonly sought = new Map<number, number>()
  /** By number of its id: the status that was read. */
  readonly answers = new Map<number, number>()

  /** @param id of the request: its line in the log says more */
  wrong(what: string, id?: string): void {
    this.wrongs++
    if (this.named.length >= namedMax) return
    if (id !== undefined) this.sought.set(numberOf(id), this.named.length)
    this.named.push(what)
  }

  logged(number: number, line: string): void {
    const index = this.sought.get(number)
    if (index !== undefined) this.named[index] = `${this.named[index] ?? ''}\n  ${line}`
  }

  /** Its line will still be in the log. */
  cutBeforeHead(): void {
    this.counts.cut++
    this.unseen++
  }

  /** @returns why its id is invalid */
  answered({ status, headers, isWhole }: Answer): string | undefined {
    if (!isWhole) this.counts.cut++
    else if (status === 429) this.counts.limited++
    else if (status >= 500) this.counts.failed++
    else if (status >= 400) this.counts.refused++
    else this.counts.ok++
    const id = headers.get('x-request-id')
    if (id === undefined || !isUuid.test(id)) return `its X-Request-Id is ${id ?? 'missing'}`
    const number = numberOf(id)
    if (this.answers.has(number)) return `its X-Request-Id ${id} was there before`
    this.answers.set(number, status)
    return undefined
  }
}

const isUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** 52 of an id's random bits: a million fit into memory, and hardly any two are the same. */
export const numberOf = (id: string): number =>
  parseInt(id.slice(0, 8) + id.slice(9, 13) + id.slice(24, 25), 16)
