/** Reads a stream of the cluster's line by line, for ourselves: no faster than it is taken. */
import { Readable } from 'node:stream'
import { Exchange } from './exchange.js'
import { ClusterFault } from './faults.js'
import type { ClusterLink } from './link.js'

export interface LinesQuestion {
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Longest wait for the head of the answer. */
  readonly headMs: number
}

/** No line of the cluster's is as long. */
const lineBytesMax = 1024 * 1024

/**
 * @param take is given each line without its end; the memory is good for the length of the call
 * @throws ClusterFault, also when the cluster told an error at the end: what came is not all
 */
export async function readLines(
  link: ClusterLink,
  { path, headers, headMs }: LinesQuestion,
  take: (line: Buffer) => void,
): Promise<void> {
  const exchange = new Exchange({
    isListing: true,
    isWhole: false,
    timeoutMs: headMs,
    onEnd: () => undefined,
  })
  const body = await new Promise<Readable>((resolve, reject) => {
    link.current.request(exchange, { method: 'GET', path, headers }, (error, answer) => {
      if (error !== null) reject(error)
      else if (!(answer.body instanceof Readable)) reject(new ClusterFault('cluster-bad-answer'))
      else if (answer.statusCode === 200 || answer.statusCode === 204) resolve(answer.body)
      else {
        answer.body.on('error', () => undefined).resume()
        reject(new ClusterFault('cluster-bad-answer', new Error(`status ${answer.statusCode}`)))
      }
    })
  })
  await takeLines(body, take)
  const told = [exchange.trailers?.['x-stream-error'] ?? []].flat().join('')
  if (told !== '') throw new ClusterFault('cluster-bad-answer', new Error(told))
}

async function takeLines(body: Readable, take: (line: Buffer) => void): Promise<void> {
  let rest = Buffer.alloc(0)
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const piece = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, from)) {
      take(piece.subarray(from, end))
      from = end + 1
    }
    rest = Buffer.from(piece.subarray(from))
    if (rest.length > lineBytesMax) throw new ClusterFault('cluster-bad-answer')
  }
  if (rest.length > 0) throw new ClusterFault('cluster-cut')
}
