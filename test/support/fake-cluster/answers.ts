/** Writes answers byte for byte as the cluster's Go server does. */
import type { ServerResponse } from 'node:http'

/** encoding/json escapes these, and ends every value with a line feed. */
export const goJson = (value: unknown): string =>
  `${JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('>', '\\u003e')
    .replaceAll('&', '\\u0026')}\n`

const common = { 'Content-Type': 'application/json', Vary: 'Origin' }

/** Bodies up to 2048 bytes get a length, larger ones are chunked. */
export function sendText(response: ServerResponse, status: number, body: string): void {
  const bytes = Buffer.byteLength(body)
  const length = bytes <= 2048 && status !== 204 ? { 'Content-Length': bytes } : {}
  response.writeHead(status, { ...common, ...length }).end(body)
}

export const sendJson = (response: ServerResponse, status: number, value: unknown): void => {
  sendText(response, status, goJson(value))
}

export const sendError = (response: ServerResponse, status: number, message: string): void => {
  sendJson(response, status, { code: status, message })
}

export interface Stream {
  readonly lines: Iterable<string> | AsyncIterable<string>
  /** Error while iterating: the trailer's text. */
  readonly error?: string
  /** Error when the source closes: the empty trailer first, then the text. */
  readonly closeError?: string
  /** Bytes gathered before a write; 0 flushes each line, as the cluster does. */
  readonly chunkBytes?: number
}

/**
 * A streaming answer: head with the trailer announced, a line at a time, the trailer. No line and
 * no error is a 204 that announces it too; an error before the first line is a 500.
 */
export async function sendStream(response: ServerResponse, stream: Stream): Promise<void> {
  const { error = '', closeError, chunkBytes = 0 } = stream
  let pending = ''
  let isEmpty = true
  for await (const line of stream.lines) {
    if (isEmpty) response.writeHead(200, { ...common, Trailer: 'X-Stream-Error' })
    isEmpty = false
    pending += line
    if (pending.length < chunkBytes) continue
    const isTaken = response.write(pending)
    pending = ''
    if (!isTaken) await taken(response)
    if (response.destroyed) return
  }
  if (pending !== '') response.write(pending)
  if (isEmpty) {
    sendEmpty(response, error === '' ? closeError : error)
    return
  }
  const trailers: [string, string][] = [['X-Stream-Error', error]]
  if (closeError !== undefined) trailers.push(['X-Stream-Error', closeError])
  // Over HTTP/1.0 there are no chunks and no trailers: errors are lost.
  if (response.chunkedEncoding) response.addTrailers(trailers)
  response.end()
}

/** Until the client has read on, or is gone. */
const taken = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })

function sendEmpty(response: ServerResponse, error: string | undefined): void {
  const status = error === undefined ? 204 : 500
  const body = error === undefined ? '' : goJson({ code: 500, message: error })
  const length = error === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }
  response.writeHead(status, { ...common, ...length })
  announceTrailer(response)
  response.end(body)
}

/**
 * Node refuses what Go does: a Trailer header on an answer that has no chunks. So it is written
 * into the head that Node has composed and not yet sent.
 */
function announceTrailer(response: ServerResponse): void {
  const composed = response as unknown as { _header: string }
  composed._header = composed._header.replace('\r\n', '\r\nTrailer: X-Stream-Error\r\n')
}
