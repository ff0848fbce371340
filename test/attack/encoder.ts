/** The well-behaved encoder: pins, and asks for what it pinned, one request after the other. */
import { setTimeout } from 'node:timers/promises'
import { Pool } from 'undici'
import { generatedCid } from '../support/fake-cluster/index.js'

/** What it went through in one part of an attack. */
export class Experience {
  readonly latenciesMs: number[] = []
  /** Of the answers that came. */
  readonly ids: string[] = []
  readonly errors: string[] = []

  get asked(): number {
    return this.latenciesMs.length
  }

  quantileMs(part: number): number {
    const sorted = this.latenciesMs.toSorted((one, other) => one - other)
    return sorted[Math.floor((sorted.length - 1) * part)] ?? NaN
  }
}

const pauseMs = 10
/** The encoder's own limit for pins. */
const patienceMs = 30_000

export class WellBehaved {
  private readonly pool: Pool
  private next = 0

  constructor(
    origin: string,
    private readonly authorization: string,
  ) {
    this.pool = new Pool(origin, { connections: 1, connect: { rejectUnauthorized: false } })
  }

  /** Asks for so long, and to the end of what it has begun. */
  async work(ms: number): Promise<Experience> {
    const experience = new Experience()
    const untilMs = performance.now() + ms
    for (let turn = 0; performance.now() < untilMs; turn++) {
      const cid = generatedCid(1_000_000 + this.next++)
      // Now and then over a connection of its own: there has to be a place for it.
      await this.ask(experience, 'POST', `/pins/${cid}`, turn % 5 === 0)
      await this.ask(experience, 'GET', `/pins/${cid}`, false)
      if (turn % 5 === 2) await this.ask(experience, 'GET', '/id', false)
    }
    return experience
  }

  close(): Promise<void> {
    return this.pool.destroy()
  }

  private async ask(
    { latenciesMs, ids, errors }: Experience,
    method: 'GET' | 'POST',
    path: string,
    reset: boolean,
  ): Promise<void> {
    const startMs = performance.now()
    try {
      const { authorization } = this
      const { statusCode, headers, body } = await this.pool.request({
        ...{ method, path, reset, headers: { authorization } },
        ...{ headersTimeout: patienceMs, bodyTimeout: patienceMs },
      })
      const text = await body.text()
      ids.push(String(headers['x-request-id']))
      if (statusCode !== 200) errors.push(`${method} ${statusCode} ${text.trim()}`)
    } catch (error) {
      errors.push(`${method} ${error instanceof Error ? error.message : String(error)}`)
    }
    latenciesMs.push(performance.now() - startMs)
    await setTimeout(pauseMs)
  }
}
