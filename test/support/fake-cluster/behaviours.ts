/** What a test makes the fake cluster do instead of its work: faults, on demand. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendStream } from './answers.js'

export type Behaviour =
  /** Takes the request and never answers. */
  | { readonly kind: 'stall' }
  /** Does its work once the promise is there. */
  | { readonly kind: 'hold'; readonly until: Promise<void> }
  /** RST instead of an answer. */
  | { readonly kind: 'reset' }
  /** FIN instead of an answer. */
  | { readonly kind: 'hangup' }
  /** Head and some lines of a chunked answer, then RST. */
  | { readonly kind: 'die-mid-stream' }
  /** Less of a body than its Content-Length says, then RST. */
  | { readonly kind: 'die-mid-length' }
  /** A body without length or chunks, ended by the connection's end. */
  | { readonly kind: 'close-delimited'; readonly body: string; readonly end: 'fin' | 'rst' }
  /** An answer, verbatim. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  /** Exact bytes, then the end. */
  | { readonly kind: 'raw'; readonly bytes: string; readonly end: 'fin' | 'rst' | 'keep' }
  /** A listing of so many lines of so many bytes, one by one or gathered into chunks. */
  | {
      readonly kind: 'stream'
      readonly lines: number
      readonly bytes: number
      readonly chunkBytes?: number
      readonly error?: string
      readonly closeError?: string
    }
  /** A streaming answer in the test's own hand; see Trickle. */
  | { readonly kind: 'trickle' }

/** What `trickle` gives to the test; lines written before a request is there wait for it. */
export class Trickle {
  private response: ServerResponse | undefined
  private readonly early: ((response: ServerResponse) => void)[] = []

  attach(response: ServerResponse): void {
    this.response = response
    response.writeHead(200, { 'Content-Type': 'application/json', Trailer: 'X-Stream-Error' })
    response.flushHeaders()
    for (const act of this.early.splice(0)) act(response)
  }

  write(line: string): void {
    this.act((response) => response.write(line))
  }

  end(error = ''): void {
    this.act((response) => {
      response.addTrailers({ 'X-Stream-Error': error })
      response.end()
    })
  }

  destroy(): void {
    this.act((response) => response.destroy())
  }

  private act(act: (response: ServerResponse) => void): void {
    if (this.response === undefined) this.early.push(act)
    else act(this.response)
  }
}

/** @param work what the cluster would do */
export function perform(
  behaviour: Behaviour,
  trickle: Trickle,
  request: IncomingMessage,
  response: ServerResponse,
  work: () => void,
): void {
  const { socket } = request
  switch (behaviour.kind) {
    case 'stall':
      return
    case 'hold':
      void behaviour.until.then(work)
      return
    case 'reset':
      socket.resetAndDestroy()
      return
    case 'hangup':
      socket.end()
      return
    case 'die-mid-stream':
      response.writeHead(200, { 'Content-Type': 'application/json', Trailer: 'X-Stream-Error' })
      response.write('{"n":1}\n')
      response.write('{"n":2}\n', () => socket.resetAndDestroy())
      return
    case 'die-mid-length':
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 })
      response.write('{"n":1', () => socket.resetAndDestroy())
      return
    case 'close-delimited':
      writeRaw(
        request,
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n${behaviour.body}`,
        behaviour.end,
      )
      return
    case 'status':
      response
        .writeHead(behaviour.status, {
          'Content-Length': Buffer.byteLength(behaviour.body ?? ''),
          ...behaviour.headers,
        })
        .end(behaviour.body)
      return
    case 'raw':
      writeRaw(request, behaviour.bytes, behaviour.end)
      return
    case 'stream':
      void sendStream(response, {
        ...behaviour,
        lines: manyLines(behaviour.lines, behaviour.bytes),
      })
      return
    case 'trickle':
      trickle.attach(response)
      return
  }
}

function writeRaw({ socket }: IncomingMessage, bytes: string, end: 'fin' | 'rst' | 'keep'): void {
  socket.write(bytes, () => {
    if (end === 'rst') socket.resetAndDestroy()
    else if (end === 'fin') socket.end()
  })
}

function* manyLines(count: number, bytes: number): Generator<string> {
  for (let n = 0; n < count; n++) {
    const start = `{"n":${n},"pad":"`
    yield `${start}${'x'.repeat(Math.max(0, bytes - start.length - 3))}"}\n`
  }
}
