/** Does what a behaviour says. */
import { STATUS_CODES } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import {
  type Behaviour,
  type Ending,
  type Headers,
  listOf,
  type StreamBehaviour,
} from './behaviours.js'
import type { Exchange } from './connection.js'
import { generatedCid } from './state.js'
import { listingHead, TrickleSource } from './trickle.js'

/** True: the cluster continues with its own answer; `lost`: and no client ever reads it. */
export type Act = (exchange: Exchange) => Promise<boolean | 'lost'>

export interface Performance {
  readonly act: Act
  readonly controls: object
}

export function performanceOf(behaviour: Behaviour): Performance {
  if (behaviour.kind === 'trickle') {
    const source = new TrickleSource(behaviour.headers)
    return { act: (exchange) => source.serve(exchange), controls: source.controls }
  }
  if (behaviour.kind === 'stall') {
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    return { act: (exchange) => exchange.here(released), controls: { release } }
  }
  return { act: (exchange) => perform(behaviour, exchange), controls: {} }
}

type Plain = Exclude<Behaviour, { kind: 'trickle' | 'stall' }>

async function perform(behaviour: Plain, exchange: Exchange): Promise<boolean | 'lost'> {
  switch (behaviour.kind) {
    case 'hold':
      return exchange.here(behaviour.until)
    case 'delay':
      return exchange.here(setTimeout(behaviour.ms))
    case 'lose-answer':
      return 'lost'
    case 'reset':
      exchange.end('rst')
      return false
    case 'hangup':
      exchange.end('fin')
      return false
    case 'die-mid-stream':
      return dieMidStream(exchange, behaviour.lines ?? 3, behaviour.bytes ?? 100, behaviour.end)
    case 'die-mid-length': {
      const length = { 'Content-Length': String(behaviour.lengthBytes ?? 1000) }
      const head = rawHead(200, undefined, { ...json, ...length })
      return sendAndEnd(exchange, head + (behaviour.body ?? '{"cid":'), behaviour.end)
    }
    case 'close-delimited': {
      const head = rawHead(200, undefined, behaviour.headers ?? json)
      return sendAndEnd(exchange, head + behaviour.body, behaviour.end)
    }
    case 'status':
      return sendStatus(exchange, behaviour)
    case 'stream':
      return sendLines(exchange, behaviour)
    case 'raw':
      await exchange.write(behaviour.bytes)
      if (behaviour.end === 'keep') await exchange.here(new Promise(() => undefined))
      else exchange.end(behaviour.end ?? 'fin')
      return false
  }
}

const json = { 'Content-Type': 'application/json' }

function rawHead(status: number, reason: string | undefined, headers: Headers): string {
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    listOf(values).map((value) => `${name}: ${value}\r\n`),
  )
  const names = Object.keys(headers).map((name) => name.toLowerCase())
  if (!names.includes('date')) lines.push(`Date: ${new Date(Date.now()).toUTCString()}\r\n`)
  return `HTTP/1.1 ${status} ${reason ?? STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`
}

async function sendAndEnd(exchange: Exchange, text: string, end: Ending = 'fin'): Promise<boolean> {
  await exchange.write(text)
  exchange.end(end)
  return false
}

async function sendStatus(
  exchange: Exchange,
  behaviour: Extract<Behaviour, { kind: 'status' }>,
): Promise<boolean> {
  const { status, reason, headers = {}, body = '' } = behaviour
  const names = Object.keys(headers).map((name) => name.toLowerCase())
  const bodiless = status === 204 || status === 304
  const framed = names.includes('content-length') || names.includes('transfer-encoding')
  const length = bodiless || framed ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  const head = rawHead(status, reason, { ...headers, ...length })
  const { reply, request } = exchange
  await exchange.write(head + (bodiless || request.method === 'HEAD' ? '' : body))
  reply.sentElsewhere()
  return false
}

async function dieMidStream(
  exchange: Exchange,
  lines: number,
  bytes: number,
  end: Ending = 'fin',
): Promise<boolean> {
  const { reply } = exchange
  listingHead(reply)
  await reply.flush()
  for (let index = 0; index < lines; index++)
    await reply.body(padded(index, bytes, cidOf(exchange))).flush()
  exchange.end(end)
  return false
}

async function sendLines(exchange: Exchange, behaviour: StreamBehaviour): Promise<boolean> {
  const { reply } = exchange
  const cid = cidOf(exchange)
  const { lines, bytes, line = (index: number) => padded(index, bytes, cid), pause } = behaviour
  const { chunkBytes = 1, trailers = [''] } = behaviour
  listingHead(reply)
  for (let index = 0; index < lines;) {
    const pausing = pause?.(index)
    if (pausing !== undefined && !(await exchange.here(pausing))) return false
    for (let chunk = 0; chunk < chunkBytes && index < lines; index++) {
      const text = line(index)
      reply.body(text)
      chunk += text.length
    }
    if (!(await reply.flush())) return false
  }
  for (const value of trailers) reply.trailer('X-Stream-Error', value)
  await reply.finish()
  return false
}

/** One that was asked for by name, or any. */
const cidOf = ({ request }: Exchange): string =>
  /\b(?:Qm|b)[A-Za-z0-9]{44,}/.exec(decodeURIComponent(request.target))?.[0] ?? generatedCid(0)

/** A status in a line of so many bytes; of few, only a JSON object. */
function padded(index: number, bytes: number, cid: string): string {
  const status = bytes < 150 ? '' : `"cid":"${cid}","peer_map":{},`
  const start = `{${status}"n":${index},"pad":"`
  return `${start}${'x'.repeat(Math.max(0, bytes - start.length - 3))}"}\n`
}
