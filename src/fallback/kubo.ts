/**
 * The RPC of one Kubo: what the gate asks of it, and no more. All of it is `POST /api/v0/…` with
 * the arguments in the query; a no is a 500 with `{"Message":…}`, or a trailer once an answer has
 * begun (https://docs.ipfs.tech/reference/kubo/rpc/).
 */
import { type Dispatcher, Pool } from 'undici'
import { type Later, later as timer } from '../later.js'
import { jsonLines } from './json-lines.js'

/** It answered, and said no. */
export class KuboRefusal extends Error {
  override readonly name = 'KuboRefusal'
}

/** A pin without progress: nobody offers what it needs. */
export class KuboStall extends Error {
  override readonly name = 'KuboStall'
}

export interface KuboParts {
  readonly url: string
  /** Pins at once. */
  readonly atOnceMax: number
  /** Longest wait of a pin for progress. */
  readonly stallMs: number
  readonly later?: Later
}

/** Longest wait for an answer to what is no work. */
export const answerMs = 5000

export class Kubo {
  private readonly pool: Pool
  private readonly later: Later

  constructor(private readonly parts: KuboParts) {
    // One more: whether it is up is asked while it pins. Its first word may take as long as a pin.
    const connections = parts.atOnceMax + 1
    const options = { connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 }
    this.pool = new Pool(parts.url, options)
    this.later = parts.later ?? timer
  }

  /** @returns its peer ID */
  async id(): Promise<string> {
    const { ID: id } = JSON.parse(await this.ask('id')) as { ID?: unknown }
    if (typeof id !== 'string') throw new KuboRefusal('it names no ID')
    return id
  }

  /** Whether it answers its cheapest question. */
  async isUp(): Promise<boolean> {
    return this.ask('version').then(
      () => true,
      () => false,
    )
  }

  /** Whether it has a recursive pin of exactly this CID. */
  async hasPin(cid: string): Promise<boolean> {
    try {
      await this.ask(`pin/ls?arg=${cid}&type=recursive`)
      return true
    } catch (error) {
      if (error instanceof KuboRefusal && error.message.endsWith('not pinned')) return false
      throw error
    }
  }

  async unpin(cid: string): Promise<void> {
    await this.ask(`pin/rm?arg=${cid}`)
  }

  /**
   * Resolves when all of it is there, which may take hours. Hanging up is what ends it before.
   *
   * @throws KuboStall, KuboRefusal, or what the connection says
   */
  async pin(cid: string, signal: AbortSignal): Promise<void> {
    const watch = new ProgressWatch(this.parts.stallMs, this.later)
    try {
      const path = `pin/add?arg=${cid}&recursive=true&progress=true`
      const answer = await this.request(path, AbortSignal.any([signal, watch.signal]))
      let isDone = false
      for await (const line of jsonLines(answer.body as AsyncIterable<Buffer>)) {
        const { Progress: blocks = 0, Pins: pins } = line as PinLine
        watch.sees(blocks)
        isDone ||= pins !== undefined
      }
      const said = answer.trailers['x-stream-error']
      if (!isDone) throw new KuboRefusal(said ?? 'it ended without a pin')
    } catch (error) {
      throw watch.signal.aborted ? watch.signal.reason : error
    } finally {
      watch.close()
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy()
  }

  private async ask(path: string): Promise<string> {
    const { body } = await this.request(path, AbortSignal.timeout(answerMs))
    return body.text()
  }

  private async request(path: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const answer = await this.pool.request({ method: 'POST', path: `/api/v0/${path}`, signal })
    if (answer.statusCode === 200) return answer
    throw new KuboRefusal(messageIn(await answer.body.text()) ?? `status ${answer.statusCode}`)
  }
}

/** What `pin/add` says every half second: how many blocks it has, and at the end what it pinned. */
interface PinLine {
  readonly Progress?: number
  readonly Pins?: readonly string[]
}

/** Gives up a pin that gets no further. */
class ProgressWatch {
  private readonly giveUp = new AbortController()
  private blocks = 0
  private cancel: () => void

  constructor(
    private readonly stallMs: number,
    private readonly later: Later,
  ) {
    this.cancel = this.set()
  }

  get signal(): AbortSignal {
    return this.giveUp.signal
  }

  sees(blocks: number): void {
    if (blocks <= this.blocks) return
    this.blocks = blocks
    this.cancel()
    this.cancel = this.set()
  }

  close(): void {
    this.cancel()
  }

  private set(): () => void {
    return this.later(this.stallMs, () => {
      this.giveUp.abort(new KuboStall(`no progress for ${this.stallMs} ms`))
    })
  }
}

const messageCharsMax = 500

function messageIn(text: string): string | undefined {
  try {
    const { Message: message } = JSON.parse(text) as { Message?: unknown }
    return typeof message === 'string' ? message.slice(0, messageCharsMax) : undefined
  } catch {
    return undefined
  }
}
