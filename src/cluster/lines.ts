/** Reads a stream of the cluster line by line, for the gate itself. */
import type { Dispatcher } from 'undici'
import type { AnswerHeaders, RequestHeaders } from '../http/headers.js'
import { LineSplitter } from '../text/line-splitter.js'
import { ClusterFault, faultOf, faultOfAnswer } from './faults.js'
import type { ClusterClient } from './cluster-client.js'

export interface LinesQuestion {
  /** With its query. */
  readonly path: string
  readonly headers: RequestHeaders
  /** Longest wait for the head of the answer. */
  readonly headMs: number
  /** Longest time for the rest of it. */
  readonly runMs?: number
}

/** As long as a listing for encoders may take by default. */
const runMsMax = 900_000

/** Reading pauses while a returned promise is pending. */
export type TakeLine = (line: Buffer) => unknown

/** Longer than any line of the cluster. */
const lineBytesMax = 1024 * 1024

/**
 * @param take is given each line without its end; the memory is good for the length of the call
 * @throws ClusterFault, also when the cluster ends with an error: what came is not all
 */
export function readLines(
  cluster: ClusterClient,
  { path, headers, headMs, runMs = runMsMax }: LinesQuestion,
  take: TakeLine,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const reader = new LineReader(headMs, runMs, take, (error) => {
      if (error === undefined) resolve()
      else reject(error)
    })
    cluster.current.dispatchListing(path, headers, reader, 'own')
  })
}

class LineReader implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined
  private readonly lines = new LineSplitter()
  private hasHead = false
  private isOver = false
  private clock: NodeJS.Timeout

  constructor(
    headMs: number,
    private readonly runMs: number,
    private readonly take: TakeLine,
    private readonly onEnd: (error?: Error) => void,
  ) {
    this.clock = setTimeout(() => {
      this.end(new ClusterFault('cluster-timeout'))
    }, headMs)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.isOver) controller.abort(new Error('no client waits for the answer'))
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: AnswerHeaders,
  ): void {
    clearTimeout(this.clock)
    this.clock = setTimeout(() => {
      this.end(new ClusterFault('cluster-cut', new Error('the answer took too long')))
    }, this.runMs)
    this.hasHead = true
    const fault = faultOfAnswer(status, headers)
    if (fault !== undefined) this.end(new ClusterFault(fault))
    else if (status !== 200 && status !== 204) {
      const reason = status === 500 ? 'cluster-error' : 'cluster-bad-answer'
      this.end(new ClusterFault(reason, new Error(`status ${status}`)))
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.isOver) return
    try {
      for (const line of this.lines.take(chunk)) this.waitFor(controller, this.take(line))
      if (this.lines.restBytes > lineBytesMax)
        throw new ClusterFault('cluster-bad-answer', new Error('a line is too long'))
    } catch (error) {
      this.end(faultOf(error))
    }
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: AnswerHeaders): void {
    const text = [trailers['x-stream-error'] ?? []].flat().join('')
    if (text !== '') this.end(new ClusterFault('cluster-bad-answer', new Error(text)))
    else if (this.lines.restBytes > 0) this.end(new ClusterFault('cluster-cut'))
    else this.end()
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.end(this.hasHead ? new ClusterFault('cluster-cut', error) : faultOf(error))
  }

  private waitFor(controller: Dispatcher.DispatchController, taken: unknown): void {
    if (!(taken instanceof Promise)) return
    controller.pause()
    taken.then(
      () => {
        controller.resume()
      },
      (error: unknown) => {
        this.end(faultOf(error))
      },
    )
  }

  private end(error?: Error): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.clock)
    if (error !== undefined) this.controller?.abort(error)
    this.onEnd(error)
  }
}
