/** Pours a listing into a response, at the pace of the client, and ends it as the cluster did. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { ClusterFault } from '../../cluster/faults.js'
import type { Piece } from '../../listings/part.js'
import type { Spool } from '../../listings/spool.js'
import { answerFault } from '../fault.js'
import { cut, cutWhenStalled, noteCut, type StreamErrors, tellStreamErrors } from './relay.js'

export interface Pouring {
  readonly spool: Spool
  readonly headers: OutgoingHttpHeaders
  /** Texts of the cluster's trailer X-Stream-Error, asked at the end. */
  readonly streamErrors: StreamErrors
  readonly stallMs: number
}

/** Straight to Node's response: streams of Node's between would hold more, and cost more. */
export async function pour(reply: FastifyReply, pouring: Pouring): Promise<void> {
  const { raw } = reply
  const { spool, headers, streamErrors, stallMs } = pouring
  const place = spool.enter()
  const hasLeft = (): boolean => raw.destroyed
  const leave = (): void => {
    spool.leave(place)
  }
  raw.once('close', leave)
  try {
    if (hasLeft()) return
    let piece = await spool.next(place)
    reply.hijack()
    if (!hasLeft()) {
      raw.writeHead(reply.statusCode, { ...reply.getHeaders(), ...headers } as OutgoingHttpHeaders)
      cutWhenStalled(reply, stallMs)
    }
    for (; piece !== undefined; piece = await spool.next(place)) {
      // What is written to a response that is gone is never said to be taken.
      if (hasLeft()) {
        piece.release()
        return
      }
      await write(raw, piece)
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
function write(raw: ServerResponse, piece: Piece): Promise<void> | undefined {
  const hasRoom = raw.write(piece.bytes, () => {
    piece.release()
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
