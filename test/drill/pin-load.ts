/** Encoders that pin, each CID once, and ask for what they pinned; every answer is judged. */
import { setTimeout } from 'node:timers/promises'
import { Pool } from 'undici'
import { generatedCid } from '../support/fake-cluster/index.js'

export interface Asked {
  readonly kind: 'pin' | 'read'
  /** 0: there was no answer. */
  readonly status: number
  readonly durationMs: number
  readonly atMs: number
  /** Why it was not the right answer; undefined: it was. */
  readonly wrong: string | undefined
}

/** Statuses that are right at the moment. */
export interface Right {
  readonly pin: readonly number[]
  readonly read: readonly number[]
}

export class PinLoad {
  readonly asked: Asked[] = []
  /** CIDs whose pin was answered 2xx. */
  readonly accepted: string[] = []
  private readonly pool: Pool
  private readonly running: Promise<void>[] = []
  private isOver = false

  /** @param first number of the first CID */
  constructor(
    origin: string,
    private readonly authorization: string,
    private right: Right,
    private first: number,
  ) {
    this.pool = new Pool(origin, { connections: 32 })
  }

  /** What is in flight may still be answered as before. */
  expect(right: Right): void {
    this.right = right
  }

  /** So many that pin and so many that read, one request after the other, with a pause. */
  start(pinners: number, readers: number, pauseMs: number): void {
    const loop = async (ask: () => Promise<Asked>): Promise<void> => {
      while (!this.isOver) {
        this.asked.push(await ask())
        await setTimeout(pauseMs)
      }
    }
    for (let count = 0; count < pinners; count++) this.running.push(loop(() => this.pin()))
    for (let count = 0; count < readers; count++) this.running.push(loop(() => this.read()))
  }

  /** Lets what is in flight end. */
  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.running)
    await this.pool.destroy()
  }

  /** How many CIDs it has used. */
  get next(): number {
    return this.first
  }

  async pin(): Promise<Asked> {
    const cid = generatedCid(this.first++)
    const asked = await this.ask('pin', 'POST', `/pins/${cid}`, (text) => text.includes(cid))
    if (asked.status >= 200 && asked.status < 300) this.accepted.push(cid)
    return asked
  }

  private read(): Promise<Asked> {
    const cid = this.accepted[Math.floor(Math.random() * this.accepted.length)]
    if (cid === undefined || Math.random() < 0.2)
      return this.ask('read', 'GET', '/id', (text) => text.includes('"cluster_peers"'))
    const isRight = (text: string) => text.includes(cid) && /"status":"pin(ned|_queued)"/.test(text)
    return this.ask('read', 'GET', `/pins/${cid}`, isRight)
  }

  private async ask(
    kind: Asked['kind'],
    method: 'GET' | 'POST',
    path: string,
    isRight: (text: string) => boolean,
  ): Promise<Asked> {
    const before = this.right[kind]
    const startMs = performance.now()
    const verdict = (status: number, wrong?: string): Asked => {
      const atMs = performance.now()
      return { kind, status, durationMs: atMs - startMs, atMs, wrong }
    }
    try {
      const { authorization } = this
      const { statusCode, body } = await this.pool.request({
        ...{ method, path, headers: { authorization } },
        ...{ headersTimeout: 60_000, bodyTimeout: 60_000 },
      })
      const text = await body.text()
      const right = [...before, ...this.right[kind]]
      if (!right.includes(statusCode))
        return verdict(statusCode, `${method} ${statusCode}, not ${right.join(' or ')}: ${text}`)
      const isFine = statusCode < 300 ? isRight(text) : text.includes(`"code":${statusCode}`)
      return verdict(statusCode, isFine ? undefined : `${method} ${path}: ${text}`)
    } catch (error) {
      return verdict(0, error instanceof Error ? error.message : String(error))
    }
  }
}
