/** Faults and streams on demand: what a test can have the cluster do instead of answering. */

/** How a connection is ended: FIN, or RST. */
export type Ending = 'fin' | 'rst'

export type Headers = Readonly<Record<string, string | readonly string[]>>

/** A header's values, be they one or many. */
export const listOf = (values: string | readonly string[]): readonly string[] =>
  typeof values === 'string' ? [values] : values

export type Behaviour =
  /** Takes the request and never answers; `release()` lets the cluster answer after all. */
  | { readonly kind: 'stall' }
  /** Waits, then answers as ever. Nothing is done if the peer has gone by then. */
  | { readonly kind: 'hold'; readonly until: Promise<unknown> }
  /** The same after so long: a cluster that is slow. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Does what was asked, and RST instead of the answer. */
  | { readonly kind: 'lose-answer' }
  /** RST before any answer. */
  | { readonly kind: 'reset' }
  /** FIN before any answer. */
  | { readonly kind: 'hangup' }
  /** 200, so many lines of a chunked answer (default 3 of 100 bytes), then no more of it. */
  | {
      readonly kind: 'die-mid-stream'
      readonly lines?: number
      readonly bytes?: number
      readonly end?: Ending
    }
  /** 200 with a Content-Length (default 1000), and a body (default `{"cid":`) short of it. */
  | {
      readonly kind: 'die-mid-length'
      readonly lengthBytes?: number
      readonly body?: string
      readonly end?: Ending
    }
  /** 200 with neither length nor chunks: only the close ends the body. */
  | {
      readonly kind: 'close-delimited'
      readonly body: string
      readonly headers?: Headers
      readonly end?: Ending
    }
  /** Exactly this, with `Date` and `Content-Length` added unless they are given. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly reason?: string
      readonly headers?: Headers
      readonly body?: string
    }
  | StreamBehaviour
  /** These bytes and nothing else, then the end; or `keep`: the connection stays as it is. */
  | { readonly kind: 'raw'; readonly bytes: string | Buffer; readonly end?: Ending | 'keep' }
  /** A listing that the test writes itself; every request gets all of it from its beginning. */
  | { readonly kind: 'trickle'; readonly headers?: Headers }

/** A listing of any size, made while it is sent, no faster than the peer takes it. */
export interface StreamBehaviour {
  readonly kind: 'stream'
  readonly lines: number
  /** Of one line, LF included. */
  readonly bytes: number
  /** Another text than padding; then `bytes` does not count. With its LF. */
  readonly line?: (index: number) => string
  /** Lines are gathered to chunks of at least so much; by default each is flushed by itself. */
  readonly chunkBytes?: number
  /** Asked before each chunk; the stream waits for what it returns. */
  readonly pause?: (index: number) => Promise<unknown> | undefined
  /** Values of `X-Stream-Error`, one field each; default one empty: success. */
  readonly trailers?: readonly string[]
}

export interface Matcher {
  readonly method?: string
  /** Absent: any but those of health checks. A string is the whole decoded path without query; a RegExp sees the raw request target. */
  readonly path?: string | RegExp
}

/** Ends a behaviour for later requests. */
export type Undo = () => void

export interface Release {
  /** Everything stalled, now or later, is answered. */
  release(): void
}

/** A listing under the test's hand. What is written before the request comes is not lost. */
export interface Trickle {
  /** As it is: a line brings its LF. One flushed chunk each. */
  write(text: string): void
  /** A clean end; each value is one `X-Stream-Error` field, default one empty: success. */
  end(...trailers: readonly string[]): void
  /** An end inside the answer. */
  destroy(how?: Ending): void
}

/** What `behave` returns: callable to undo, with more for some kinds. */
export type Controls<Kind extends Behaviour['kind']> = Undo &
  (Kind extends 'stall' ? Release : Kind extends 'trickle' ? Trickle : unknown)
