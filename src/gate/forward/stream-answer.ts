/** Writes a handler's answer, at the pace of the client, and ends it as the cluster did. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { ClusterFault } from '../../cluster/faults.js'
import type { ChunkView } from '../../listings/chunk.js'
import type { AnswerBody, StreamedAnswer } from '../handler.js'
import { answerFault } from '../answering.js'
import { cutWhenStalled } from '../answer.js'
import { recordOf } from '../request.js'
import { cut, hasTrailers, noteCut, sendStreamErrors } from './relay.js'

export function streamAnswer(reply: FastifyReply, answer: StreamedAnswer): void {
  const { status, headers, body } = answer
  if (body === undefined) reply.code(status).headers(headers).send()
  else void write(reply, answer, body)
}

/** Writes straight to Node's response: streams between would hold and cost more. */
async function write(reply: FastifyReply, answer: StreamedAnswer, body: AnswerBody): Promise<void> {
  const { raw } = reply
  const hasLeft = (): boolean => raw.destroyed
  try {
    if (hasLeft()) return
    let chunk = await body.next()
    reply.hijack()
    if (!hasLeft()) {
      raw.writeHead(answer.status, headersOf(reply, answer, body))
      cutWhenStalled(raw, recordOf(reply.request), answer.stallMs)
    }
    for (; chunk !== undefined; chunk = await body.next()) {
      // A closed response never reports that it has taken a write.
      if (hasLeft()) {
        chunk.release()
        return
      }
      await writeChunk(raw, chunk)
    }
    if (hasLeft()) return
    sendStreamErrors(reply, body.streamErrors?.() ?? [])
    raw.end()
  } catch (error) {
    const fault = error instanceof Error ? error : new Error(String(error))
    if (!raw.headersSent) answerFault(reply, new ClusterFault('cluster-cut', fault.cause ?? fault))
    else if (!hasLeft()) {
      noteCut(reply, fault)
      cut(reply)
    }
  } finally {
    body.leave()
  }
}

function headersOf(reply: FastifyReply, { headers }: StreamedAnswer, { streamErrors }: AnswerBody) {
  const trailer = streamErrors && hasTrailers(reply) && { trailer: 'X-Stream-Error' }
  return { ...reply.getHeaders(), ...headers, ...trailer } as OutgoingHttpHeaders
}

/** Resolves when the next write may follow, or when the client has left. */
function writeChunk(raw: ServerResponse, chunk: ChunkView): Promise<void> | undefined {
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
