/** Reads one listing from the cluster as fast as it comes, into large chunks. */
import type { Dispatcher } from 'undici'
import type { AnswerHeaders, RequestHeaders } from '../http/headers.js'
import type { Cluster } from '../cluster/cluster.js'
import { ClusterFault, faultOf, faultOfAnswer } from '../cluster/faults.js'
import type { StreamPool } from '../cluster/pools.js'
import { shownListing, ShownLines } from '../leases/shown.js'
import { giveMemory, Chunk, chunkBytes, takeMemory } from './chunk.js'

/** The request to the cluster. */
export interface UpstreamRequest {
  /** Path and query. */
  readonly path: string
  readonly headers: RequestHeaders
  /** Longest wait for the head of the answer, and for its end. */
  readonly headMs: number
  readonly runMs: number
  readonly of: StreamPool
  /** Checks an answer without pins before it counts; undefined: no check. */
  readonly verifyEmpty: (() => Promise<void>) | undefined
}

export interface ListingSink {
  head(status: number): void
  /**
   * @returns whether the reader may continue; otherwise it waits for {@link UpstreamReader.resume}
   */
  chunk(chunk: Chunk): boolean
  /** @param trailers fields by their names in lower case */
  end(trailers: AnswerHeaders): void
  fail(fault: ClusterFault): void
}

const unverified = 'it lists no pin, and its own list does not say so: Kubo may be down'

/** A smaller rest gets memory of its own length, not a pooled chunk. */
const smallBytes = chunkBytes / 16

/** Copied, as the next bytes overwrite the memory. */
function chunkOf(bytes: Buffer): Chunk {
  if (bytes.length < smallBytes || bytes.length > chunkBytes) return new Chunk(Buffer.from(bytes))
  const memory = takeMemory()
  bytes.copy(memory)
  return new Chunk(memory.subarray(0, bytes.length), memory)
}

export class UpstreamReader implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined
  private readonly memory = takeMemory()
  private used = 0
  private flushing: NodeJS.Immediate | undefined
  private clock: NodeJS.Timeout
  private hasHead = false
  private isOver = false
  private isVerifying = false
  private readonly startMs = performance.now()
  private lines: ShownLines | undefined

  constructor(
    cluster: Cluster,
    private readonly request: UpstreamRequest,
    private readonly sink: ListingSink,
  ) {
    const { path, headers, headMs, of } = request
    this.clock = setTimeout(() => {
      this.stop(new ClusterFault('cluster-timeout'))
    }, headMs)
    cluster.dispatchListing(path, headers, this, of)
  }

  /** Continues after {@link ListingSink.chunk} returned false. */
  resume(): void {
    this.controller?.resume()
  }

  /** Gives the listing up: no client wants it, which is not the cluster's fault. */
  giveUp(fault: ClusterFault): void {
    this.stop(fault, new Error('no client reads the listing'))
  }

  private stop(fault: ClusterFault, why: Error = fault): void {
    if (this.isOver) return
    this.finish()
    this.controller?.abort(why)
    this.sink.fail(fault)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.isOver) controller.abort(new Error('no client reads the listing'))
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: AnswerHeaders,
  ): void {
    const fault = faultOfAnswer(status, headers)
    if (fault !== undefined) {
      this.stop(new ClusterFault(fault))
      return
    }
    const { verifyEmpty } = this.request
    if (status === 204 && verifyEmpty !== undefined) void this.verify(verifyEmpty)
    else this.begin(status)
  }

  /** Unknown is not empty. */
  private async verify(verifyEmpty: () => Promise<void>): Promise<void> {
    this.isVerifying = true
    try {
      await verifyEmpty()
    } catch (error) {
      const why = error instanceof Error && error.cause instanceof Error ? error.cause : error
      this.stop(new ClusterFault('cluster-unavailable', new Error(unverified, { cause: why })))
      return
    }
    if (this.isOver) return
    this.begin(204)
    this.finish()
    this.sink.end({})
  }

  private begin(status: number): void {
    this.hasHead = true
    if (status === 200) this.lines = new ShownLines(shownListing)
    clearTimeout(this.clock)
    const leftMs = this.request.runMs - (performance.now() - this.startMs)
    this.clock = setTimeout(
      () => {
        this.stop(new ClusterFault('cluster-cut', new Error('the listing took too long')))
      },
      Math.max(0, leftMs),
    )
    this.sink.head(status)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.isOver) return
    // The memory is the socket's, and is reused after the call.
    for (let from = 0; from < chunk.length;) {
      if (this.used === chunkBytes && !this.flush()) return
      const copied = chunk.copy(this.memory, this.used, from)
      this.used += copied
      from += copied
    }
    // Runs once all bytes of one socket read are processed.
    this.flushing ??= setImmediate(() => {
      this.flush()
    })
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: AnswerHeaders): void {
    if (this.isOver || this.isVerifying || !this.flush()) return
    try {
      this.lines?.finish()
    } catch (error) {
      this.stop(faultOf(error))
      return
    }
    this.finish()
    this.sink.end(trailers)
  }

  onResponseError(_controller: unknown, error: Error): void {
    if (this.isOver || this.isVerifying || !this.flush()) return
    this.finish()
    this.sink.fail(this.hasHead ? new ClusterFault('cluster-cut', error) : faultOf(error))
  }

  /** False when the sink stopped the reader. */
  private flush(): boolean {
    clearImmediate(this.flushing)
    this.flushing = undefined
    if (this.used === 0) return true
    const { memory } = this
    const bytes = memory.subarray(0, this.used)
    this.used = 0
    let mayGoOn = true
    try {
      for (const part of this.lines?.take(bytes) ?? [bytes])
        mayGoOn = this.sink.chunk(chunkOf(part)) && mayGoOn
    } catch (error) {
      this.stop(faultOf(error))
    }
    if (!mayGoOn) this.controller?.pause()
    return !this.isOver
  }

  private finish(): void {
    this.isOver = true
    clearTimeout(this.clock)
    clearImmediate(this.flushing)
    giveMemory(this.memory)
  }
}
