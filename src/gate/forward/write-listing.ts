/** Writes a listing to a response, at the pace of the client, and ends it as the cluster did. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { ClusterFault } from '../../cluster/faults.js'
import type { ChunkView } from '../../listings/chunk.js'
import type { Spool } from '../../listings/spool.js'
import { answerFault } from '../fault.js'
import { cut, cutWhenStalled, noteCut, type StreamErrors, tellStreamErrors } from './relay.js'

export interface ListingResponse {
  readonly spool: Spool
  readonly headers: OutgoingHttpHeaders
  /** Texts of the cluster's trailer X-Stream-Error, asked at the end. */
  readonly streamErrors: StreamErrors
  readonly stallMs: number
}

/** Straight to Node's response: streams of Node's between would hold more, and cost more. */
export async function writeTo(reply: FastifyReply, response: ListingResponse): Promise<void> {
  const { raw } = reply
  const { spool, headers, streamErrors, stallMs } = response
  const cursor = spool.enter()
  const hasLeft = (): boolean => raw.destroyed
  const leave = (): void => {
    spool.leave(cursor)
  }
  raw.once('close', leave)
  try {
    if (hasLeft()) return
    let chunk = await spool.next(cursor)
    reply.hijack()
    if (!hasLeft()) {
      raw.writeHead(reply.statusCode, { ...reply.getHeaders(), ...headers } as OutgoingHttpHeaders)
      cutWhenStalled(reply, stallMs)
    }
    for (; chunk !== undefined; chunk = await spool.next(cursor)) {
      // What is written to a response that is gone is never said to be taken.
      if (hasLeft()) {
        chunk.release()
        return
      }
      await write(raw, chunk)
    }
    if (hasLeft()) return
    tellStreamErrors(reply, streamErrors())
    raw.end()
  } catch (error) {
    const fault = error instanceof Error ? error : new Error(String(error))
    if (!raw.headersSent) answerFault(reply, new ClusterFault('cluster-cut', fault.cause ?? fault))
    else if (!hasLeft()) {
      noteCut(reply, fault)
      cut(reply)
    }
  } finally {
    leave()
  }
}

/** Resolves when it may be followed by more, or when the client has left. */
function write(raw: ServerResponse, chunk: ChunkView): Promise<void> | undefined {
  const hasRoom = raw.write(chunk.bytes, () => {
    chunk.release()
  })
  if (hasRoom) return undefined
  return new Promise((resolve) => {
    const go = (): void => {
      raw.off('drain', go).off('close', go)
      resolve()
    }
    raw.on('drain', go).on('close', go)
  })
}
