/**
 * The part of one Kubo's RPC that the gate uses. Every call is `POST /api/v0/…` with its arguments
 * in the query; a refusal is a 500 with `{"Message":…}`, or a trailer once an answer has begun
 * (https://docs.ipfs.tech/reference/kubo/rpc/).
 */
import { type Dispatcher, Pool } from 'undici'
import { canonicalCid } from '../cluster/cid.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { isObject, readObject } from '../cluster/json.js'
import { readLines } from '../cluster/lines.js'
import type { RequestHeaders } from '../http/headers.js'
import { LineSplitter } from '../text/line-splitter.js'
import { type SetTimer, setTimer as timer } from '../time/clock.js'

/** Kubo answered with a refusal. */
export class KuboRefusal extends Error {
  override readonly name = 'KuboRefusal'
}

/** A pin without progress: no peer has the content. */
export class KuboStall extends Error {
  override readonly name = 'KuboStall'
}

export interface KuboParts {
  readonly url: string
  /** Pins at once. */
  readonly atOnceMax: number
  /** Longest wait of a pin for progress. */
  readonly stallMs: number
  readonly setTimer?: SetTimer
}

/** Time limit of calls that take no work. */
export const answerMs = 5000

export class Kubo {
  private readonly pool: Pool
  private readonly setTimer: SetTimer

  constructor(private readonly parts: KuboParts) {
    // One connection more, for the health check while it pins. The first byte may take as long as a
    // pin.
    const connections = parts.atOnceMax + 1
    const options = { connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 }
    this.pool = new Pool(parts.url, options)
    this.setTimer = parts.setTimer ?? timer
  }

  /** @returns its peer ID */
  async id(): Promise<string> {
    const { ID: id } = parsed(await this.ask('id'))
    if (typeof id !== 'string') throw new KuboRefusal('it names no ID')
    return id
  }

  /** Whether it answers its cheapest call. */
  async isUp(): Promise<boolean> {
    return this.ask('version').then(
      () => true,
      () => false,
    )
  }

  /**
   * Whether it has a recursive pin of exactly this CID.
   * @returns undefined when its answer does not name this CID
   */
  async hasPin(cid: string): Promise<boolean | undefined> {
    try {
      return hasRecursive(await this.ask(`pin/ls?arg=${cid}&type=recursive`), cid) || undefined
    } catch (error) {
      if (!(error instanceof KuboRefusal && error.message.endsWith('not pinned'))) throw error
      return error.message.split(/[\s'"/]+/).some((word) => isSame(word, cid)) ? false : undefined
    }
  }

  /** @throws KuboRefusal, also when its answer does not name the CID */
  async unpin(cid: string): Promise<void> {
    const answer = parsed(await this.ask(`pin/rm?arg=${cid}`))
    if (!names(answer.Pins, cid)) throw new KuboRefusal('its answer does not name the CID')
  }

  /**
   * Resolves when Kubo has the whole content, which may take hours. Closing the connection ends it
   * early.
   * @throws KuboStall, KuboRefusal, or the connection's error
   */
  async pin(cid: string, signal: AbortSignal): Promise<void> {
    const watch = new ProgressWatch(this.parts.stallMs, this.setTimer)
    try {
      const path = `pin/add?arg=${cid}&recursive=true&progress=true`
      const answer = await this.request(path, AbortSignal.any([signal, watch.signal]))
      let isDone = false
      for await (const line of jsonLines(answer.body as AsyncIterable<Buffer>)) {
        const { Progress: blocks, Pins: pins, Type: type, Message: message } = fieldsOf(line)
        // Once an answer has begun, an error may come as a line of its own.
        if (type === 'error')
          throw new KuboRefusal(shortText(message) ?? 'an error without a message')
        if (typeof blocks === 'number') watch.sees(blocks)
        // Kubo before 0.9 writes `"Pins":null` into each line of progress.
        isDone ||= names(pins, cid)
      }
      const said = shortText(answer.trailers['x-stream-error'])
      if (said !== undefined) throw new KuboRefusal(said)
      if (!isDone) throw new KuboRefusal('it ended without naming the CID')
    } catch (error) {
      throw watch.signal.aborted ? watch.signal.reason : error
    } finally {
      watch.close()
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy()
  }

  private async ask(path: string): Promise<string> {
    const { body } = await this.request(path, AbortSignal.timeout(answerMs))
    return body.text()
  }

  private async request(path: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const answer = await this.pool.request({ method: 'POST', path: `/api/v0/${path}`, signal })
    if (answer.statusCode === 200) return answer
    throw new KuboRefusal(messageIn(await answer.body.text()) ?? `status ${answer.statusCode}`)
  }
}

/** Two spellings of one CID are the same; CIDv0 and CIDv1 of one hash are two pins. */
function isSame(text: unknown, cid: string): boolean {
  if (text === cid) return true
  return typeof text === 'string' && canonicalCid(text) === (canonicalCid(cid) ?? cid)
}

const names = (pins: unknown, cid: string): boolean =>
  Array.isArray(pins) && pins.some((pin) => isSame(pin, cid))

function hasRecursive(answer: string, cid: string): boolean {
  return Object.entries(fieldsOf(parsed(answer).Keys)).some(
    ([key, pin]) => isSame(key, cid) && fieldsOf(pin).Type === 'recursive',
  )
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {}

/** Undefined for an answer that is not JSON. */
function parsed(text: string): Fields {
  try {
    return fieldsOf(JSON.parse(text))
  } catch {
    return {}
  }
}

/** Aborts a pin without progress. */
class ProgressWatch {
  private readonly giveUp = new AbortController()
  private blocks = 0
  private cancel: () => void

  constructor(
    private readonly stallMs: number,
    private readonly setTimer: SetTimer,
  ) {
    this.cancel = this.set()
  }

  get signal(): AbortSignal {
    return this.giveUp.signal
  }

  sees(blocks: number): void {
    if (blocks <= this.blocks) return
    this.blocks = blocks
    this.cancel()
    this.cancel = this.set()
  }

  close(): void {
    this.cancel()
  }

  private set(): () => void {
    return this.setTimer(this.stallMs, () => {
      this.giveUp.abort(new KuboStall(`no progress for ${this.stallMs} ms`))
    })
  }
}

const messageCharsMax = 500

function messageIn(text: string): string | undefined {
  return shortText(parsed(text).Message)
}

function shortText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, messageCharsMax) : undefined
}

const lineBytesMax = 65_536

/**
 * A stream of JSON values, one a line.
 *
 * @throws SyntaxError when a line is not JSON, or too long
 */
async function* jsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator {
  const lines = new LineSplitter()
  for await (const chunk of chunks) {
    for (const line of lines.take(chunk)) if (line.length > 0) yield JSON.parse(line.toString())
    if (lines.restBytes > lineBytesMax) throw new SyntaxError('a line is too long')
  }
  if (lines.restBytes > 0) yield JSON.parse(lines.takeRest().toString())
}

/**
 * Reads the Kubo of every live peer, which is costly: use it rarely.
 * @param headMs longest wait for the answer
 * @returns peer IDs; undefined: a peer could not tell
 * @throws ClusterFault
 */
export async function readKuboIds(
  cluster: ClusterClient,
  headers: RequestHeaders,
  headMs: number,
): Promise<ReadonlySet<string> | undefined> {
  const ids = new Set<string>()
  const untold: string[] = []
  await readLines(cluster, { path: '/peers', headers, headMs }, (line) => {
    const { ipfs } = readObject(line.toString())
    if (isObject(ipfs) && typeof ipfs.id === 'string') ids.add(ipfs.id)
    else untold.push(line.toString())
  })
  return ids.size > 0 && untold.length === 0 ? ids : undefined
}
