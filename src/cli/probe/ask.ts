/** Asks over HTTP as the encoder's axios does: its headers, its bodies, its time limits. */
import type { IncomingHttpHeaders } from 'node:http'
import { Agent } from 'undici'
import { version } from '../io.js'
import { decoded } from './decode.js'
import type { Endpoint } from './endpoint.js'
import { codeOf } from './limit.js'

export type Method = 'GET' | 'POST' | 'DELETE'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Undefined where the body is no JSON. */
  readonly json: unknown
  readonly ms: number
}

/** There was no answer, or not all of it. */
export interface Unanswered {
  readonly code: string
  /** Whether its head had come. */
  readonly isBegun: boolean
  readonly limitMs: number
}

export class Asker {
  readonly #agent: Agent

  /** @param timeoutMs in place of the encoder's limits */
  constructor(
    private readonly endpoint: Endpoint,
    private readonly timeoutMs: number | undefined,
    ca: string | undefined,
  ) {
    const connect = { timeout: limits.pins, ...(ca !== undefined && { ca }) }
    this.#agent = new Agent({ connect, maxHeaderSize: 65_536 })
  }

  async ask(method: Method, path: string): Promise<Answer | Unanswered> {
    const limitMs = this.timeoutMs ?? (path === '/id' ? limits.id : limits.pins)
    const signal = AbortSignal.timeout(limitMs)
    const start = performance.now()
    let isBegun = false
    try {
      const { origin, pathname } = new URL(this.endpoint.base + path)
      const { statusCode, headers, body } = await this.#agent.request({
        ...{ method, origin, path: pathname, signal },
        headers: {
          accept: 'application/json, text/plain, */*',
          ...(method !== 'GET' && { 'content-type': 'application/json' }),
          'accept-encoding': 'gzip, compress, deflate, br',
          'user-agent': `pinwarden/${version}`,
          authorization: this.endpoint.authorization,
        },
        // What axios makes of no data at all.
        body: method === 'POST' ? 'null' : null,
      })
      isBegun = true
      const bytes = await read(body)
      const json = jsonIn(bytes, headers['content-encoding'])
      return { status: statusCode, headers, json, ms: Math.round(performance.now() - start) }
    } catch (error) {
      return { code: codeOf(error), isBegun, limitMs }
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

/** The encoder's own. */
const limits = { id: 10_000, pins: 30_000 }

const bytesMax = 1024 * 1024

/** Leaves off where nobody would want more. */
async function read(body: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body as AsyncIterable<Buffer>) {
    parts.push(part)
    bytes += part.length
    if (bytes > bytesMax) break
  }
  return Buffer.concat(parts)
}

function jsonIn(bytes: Buffer, encoding: string | string[] | undefined): unknown {
  try {
    return JSON.parse(decoded(bytes, String(encoding ?? 'identity'), bytesMax).toString())
  } catch {
    return undefined
  }
}
