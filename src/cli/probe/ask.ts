/** Sends HTTP requests as the encoder's axios does: its headers, its bodies, its time limits. */
import http, { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { brotliDecompressSync, unzipSync } from 'node:zlib'
import { version } from '../../daemon/version.js'
import type { EncoderUrl } from './encoder-url.js'
import { codeOf } from './time-limit.js'

export type ProbeMethod = 'GET' | 'POST' | 'DELETE'

export interface GateAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Undefined for a body that is not JSON. */
  readonly json: unknown
  readonly ms: number
}

/** There was no whole answer. */
export interface Unanswered {
  readonly code: string
  /** Whether its head had come. */
  readonly isBegun: boolean
  readonly limitMs: number
}

export class Asker {
  readonly #agent: http.Agent

  /** @param timeoutMs in place of the encoder's limits */
  constructor(
    private readonly endpoint: EncoderUrl,
    private readonly timeoutMs: number | undefined,
    ca: string | undefined,
  ) {
    // Node's defaults for these depend on its version and on NODE_TLS_REJECT_UNAUTHORIZED.
    const trust = { rejectUnauthorized: true, ...(ca !== undefined && { ca }) }
    this.#agent = endpoint.isTls
      ? new https.Agent({ keepAlive: true, ALPNProtocols: ['http/1.1'], ...trust })
      : new http.Agent({ keepAlive: true })
  }

  /** @param isAnonymous without a credential */
  async ask(
    method: ProbeMethod,
    path: string,
    isAnonymous = false,
  ): Promise<GateAnswer | Unanswered> {
    const limitMs = this.timeoutMs ?? (path === '/id' ? limits.id : limits.pins)
    const signal = AbortSignal.timeout(limitMs)
    const start = performance.now()
    let isBegun = false
    try {
      const request = this.#request(method, path, signal, isAnonymous)
      // The request names a fault in the middle of the answer; the answer says only `aborted`.
      const failure = new Promise<never>((_, reject) => request.on('error', reject))
      const response = await Promise.race([responseTo(request), failure])
      isBegun = true
      const bytes = await Promise.race([read(response), failure])
      const { statusCode: status = 0, headers } = response
      const json = jsonIn(bytes, headers['content-encoding'])
      return { status, headers, json, ms: Math.round(performance.now() - start) }
    } catch (error) {
      return { code: signal.aborted ? 'ETIMEDOUT' : codeOf(error), isBegun, limitMs }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  /** @returns a request that is sent */
  #request(
    method: ProbeMethod,
    path: string,
    signal: AbortSignal,
    isAnonymous: boolean,
  ): ClientRequest {
    const { base, isTls, authorization } = this.endpoint
    const send = isTls ? https.request : http.request
    const request = send(new URL(base + path), {
      ...{ method, signal, agent: this.#agent, maxHeaderSize: headerBytesMax },
      headers: {
        accept: 'application/json, text/plain, */*',
        ...(method !== 'GET' && { 'content-type': 'application/json' }),
        'accept-encoding': 'gzip, compress, deflate, br',
        'user-agent': `pinwarden/${version}`,
        ...(!isAnonymous && { authorization }),
      },
    })
    // What axios makes of no data at all.
    return method === 'POST' ? request.end('null') : request.end()
  }
}

/** The encoder's own. */
const limits = { id: 10_000, pins: 30_000 }

const headerBytesMax = 65_536
const bodyBytesMax = 1024 * 1024

const responseTo = (request: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve) => request.once('response', resolve))

/** Leaves off where no reader would want more. */
async function read(body: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body as AsyncIterable<Buffer>) {
    parts.push(part)
    bytes += part.length
    if (bytes > bodyBytesMax) break
  }
  return Buffer.concat(parts)
}

function jsonIn(bytes: Buffer, encoding: string | undefined): unknown {
  try {
    return JSON.parse(decoded(bytes, encoding ?? 'identity', bodyBytesMax).toString())
  } catch {
    return undefined
  }
}

/**
 * Decompresses the body, as axios does by default.
 *
 * @throws when the body is not in its declared encoding, or would be longer than allowed
 */
function decoded(bytes: Buffer, encoding: string, maxOutputLength: number): Buffer {
  const name = encoding.toLowerCase()
  if (name === 'br') return brotliDecompressSync(bytes, { maxOutputLength })
  if (['gzip', 'x-gzip', 'deflate', 'compress', 'x-compress'].includes(name))
    return unzipSync(bytes, { maxOutputLength })
  return bytes
}
