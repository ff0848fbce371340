/** What the cluster received: each request with its exact bytes, and all bytes by connection. */

/** This many bytes of a request are kept; its framing is still followed to the end. */
const keptBytesMax = 1 << 20
const bytesKeptInAllMax = 1 << 24
const requestsKeptMax = 10_000

export interface RequestHead {
  readonly method: string
  /** As it stood in the request line. */
  readonly target: string
  /** `1.0` or `1.1`. */
  readonly version: string
  /** Names and values alternating, as received. */
  readonly rawHeaders: readonly string[]
}

/** Known from the end of its head on; the body grows until `complete`. */
export class ReceivedRequest {
  readonly method: string
  readonly target: string
  readonly version: string
  readonly rawHeaders: readonly string[]
  /** Lower-case names; values of a repeated name joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  readonly atMs = Date.now()
  /** The whole body has come, or never will. */
  readonly complete: Promise<void>
  /** The peer closed the connection (FIN or RST) before it had the whole answer. */
  readonly aborted: Promise<void>
  #isAborted = false
  #over = false
  readonly #raw: Buffer[] = []
  readonly #body: Buffer[] = []
  #rawBytes = 0
  #bodyBytes = 0
  #resolveComplete = (): void => undefined
  #resolveAborted = (): void => undefined

  constructor(
    head: RequestHead,
    /** Why a cluster would not serve this request. */
    readonly malformed?: string,
  ) {
    this.method = head.method
    this.target = head.target
    this.version = head.version
    this.rawHeaders = head.rawHeaders
    this.headers = joined(head.rawHeaders)
    this.complete = new Promise((resolve) => (this.#resolveComplete = resolve))
    this.aborted = new Promise((resolve) => (this.#resolveAborted = resolve))
  }

  /** The exact bytes of head and body, chunk framing included. */
  get raw(): Buffer {
    return Buffer.concat(this.#raw)
  }

  /** The body without its framing. */
  get body(): Buffer {
    return Buffer.concat(this.#body)
  }

  get isAborted(): boolean {
    return this.#isAborted
  }

  addRaw(bytes: Buffer): void {
    this.#rawBytes += bytes.length
    if (this.#rawBytes <= keptBytesMax) this.#raw.push(bytes)
  }

  addBody(bytes: Buffer): void {
    this.#bodyBytes += bytes.length
    if (this.#bodyBytes <= keptBytesMax) this.#body.push(bytes)
  }

  isComplete(): void {
    this.#resolveComplete()
  }

  /** The answer is out, or the cluster itself broke it off. */
  isOver(): void {
    this.#over = true
    this.#resolveComplete()
  }

  peerLeft(): void {
    if (this.#over) return
    this.#over = true
    this.#isAborted = true
    this.#resolveComplete()
    this.#resolveAborted()
  }
}

function joined(rawHeaders: readonly string[]): Record<string, string> {
  const headers = new Map<string, string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    const value = rawHeaders[at + 1] ?? ''
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(headers)
}

/** Requests in the order of their arrival, and everything that ever came. */
export class Records {
  readonly requests: ReceivedRequest[] = []
  /** How many requests there were, also those that are forgotten. */
  count = 0
  /** Of these, reads of one record of the state. */
  stateReads = 0
  #streams: Buffer[][] = []
  #keptBytes = 0
  #waiting: ((request: ReceivedRequest) => void)[] = []

  add(request: ReceivedRequest): void {
    this.count++
    if (request.target.startsWith('/allocations/')) this.stateReads++
    this.requests.push(request)
    if (this.requests.length > 2 * requestsKeptMax) this.requests.splice(0, requestsKeptMax)
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve(request)
  }

  next(): Promise<ReceivedRequest> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Where a new connection puts its bytes; the oldest ones are forgotten over the bound. */
  openStream(): (bytes: Buffer) => void {
    let stream: Buffer[] = []
    return (bytes) => {
      if (!this.#streams.includes(stream)) {
        stream = []
        this.#streams.push(stream)
      }
      stream.push(bytes)
      this.#keptBytes += bytes.length
      while (this.#keptBytes > bytesKeptInAllMax) {
        const oldest = this.#streams.shift() ?? []
        this.#keptBytes -= oldest.reduce((sum, part) => sum + part.length, 0)
      }
    }
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#streams.flat())
  }

  forget(): void {
    this.count = 0
    this.stateReads = 0
    this.requests.length = 0
    this.#streams = []
    this.#keptBytes = 0
  }
}
