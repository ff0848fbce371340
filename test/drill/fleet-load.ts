/** Clients of several gates: each request goes to the next gate, and every answer is kept. */
import { Pool } from 'undici'

export interface Answered {
  /** 0: there was no answer. */
  readonly status: number
  readonly durationMs: number
  readonly atMs: number
}

export class FleetLoad {
  readonly answers: Answered[] = []
  private readonly pools: readonly Pool[]
  private turn = 0

  constructor(urls: readonly string[]) {
    this.pools = urls.map((url) => new Pool(url, { connections: 32 }))
  }

  async ask(method: 'GET' | 'POST', path: string, authorization: string): Promise<Answered> {
    const pool = this.pools[this.turn++ % this.pools.length]
    const startMs = performance.now()
    let status = 0
    try {
      const headers = { authorization }
      const answer = await pool?.request({ method, path, headers, headersTimeout: 60_000 })
      await answer?.body.dump()
      status = answer?.statusCode ?? 0
    } catch {
      // It counts as none.
    }
    const atMs = performance.now()
    const answered = { status, durationMs: atMs - startMs, atMs }
    this.answers.push(answered)
    return answered
  }

  /** A number of workers, each with one request at a time, as long as there is work. */
  async all<Work>(works: Iterable<Work>, atOnce: number, act: (work: Work) => Promise<unknown>) {
    const iterator = works[Symbol.iterator]()
    const worker = async () => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next())
        await act(next.value)
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }

  async close(): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.destroy()))
  }
}
