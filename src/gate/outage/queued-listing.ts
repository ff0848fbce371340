/** Adds queued pins to a listing of the cluster. */
import type { QueueEntry } from '../../ledger/queue-entry.js'
import type { ChunkView } from '../../listings/chunk.js'
import { LineSplitter } from '../../text/line-splitter.js'
import { cidAtStart } from '../../tracking/status-line.js'
import type { AnswerBody } from '../handler.js'
import { queuedStatus } from './queued-pin.js'

/** Bytes of lines that are written together. */
const linesAtOnce = 100

const newline = Buffer.from('\n')

/**
 * @param body of the cluster; undefined: it lists nothing
 * @param queued by CID, as of the client's request
 * @param isShown whether the listing includes queued pins; else it only leaves out their CIDs
 */
export function withQueued(
  body: AnswerBody | undefined,
  queued: ReadonlyMap<string, QueueEntry>,
  isShown: boolean,
): AnswerBody {
  const chunks = chunksOf(body, queued, isShown)
  return {
    next: async () => {
      const { value } = await chunks.next()
      return value ?? undefined
    },
    leave: () => {
      body?.leave()
    },
    streamErrors: body?.streamErrors,
  }
}

async function* chunksOf(
  body: AnswerBody | undefined,
  queued: ReadonlyMap<string, QueueEntry>,
  isShown: boolean,
): AsyncGenerator<ChunkView, undefined> {
  const lines = new LineSplitter()
  for (let chunk = await body?.next(); chunk !== undefined; chunk = await body?.next()) {
    const kept: Buffer[] = []
    for (const line of lines.take(chunk.bytes)) {
      const cid = cidAtStart(line)
      if (cid === undefined || !queued.has(cid)) kept.push(line, newline)
    }
    // Copied, as the read bytes are released.
    const bytes = Buffer.concat(kept)
    chunk.release()
    if (bytes.length > 0) yield viewOf(bytes)
  }
  if (!isShown) return undefined
  let texts: string[] = []
  for (const entry of queued.values()) {
    texts.push(queuedStatus(entry))
    if (texts.length < linesAtOnce) continue
    yield viewOf(Buffer.from(texts.join('')))
    texts = []
  }
  if (texts.length > 0) yield viewOf(Buffer.from(texts.join('')))
  return undefined
}

const viewOf = (bytes: Buffer): ChunkView => ({ bytes, release: () => undefined })
