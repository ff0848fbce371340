/** The bytes of the requests that are sent again and again. */
import { randomBytes } from 'node:crypto'
import { base58btc } from 'multiformats/bases/base58'

interface RequestShape {
  readonly credential: string
  readonly isFresh?: boolean
}

/** In turn, over and over; a round continues where the previous one ended. */
export class Requests {
  private turn = 0

  constructor(private readonly all: readonly Buffer[]) {}

  next(): Buffer {
    const request = this.all[this.turn++ % this.all.length]
    if (request === undefined) throw new Error('nothing to ask')
    return request
  }
}

export const getRequests = (path: string, shapes: readonly RequestShape[]): Requests =>
  new Requests(shapes.map((shape) => getRequest(path, shape)))

export const getRequest = (path: string, shape: RequestShape): Buffer =>
  Buffer.from(`GET ${path} HTTP/1.1\r\n${headers(shape)}\r\n`)

const pinsCount = 20_000

/** Pins as an encoder asks for them, each of a new CID; `below` as `/recover`. */
export function pinRequests(shape: RequestShape, below = ''): Requests {
  const requests = Array.from({ length: pinsCount }, () =>
    Buffer.from(
      `POST /pins/${newCid()}${below} HTTP/1.1\r\n${headers(shape)}` +
        'Content-Type: application/json\r\nContent-Length: 4\r\n\r\nnull',
    ),
  )
  return new NewPins(requests)
}

const cidEnd = 'POST /pins/'.length + 46
const turnDigits = 4
const digits = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** Encoders pin what is new: in each round the CIDs get other last digits, which stay a hash. */
class NewPins extends Requests {
  private asked = 0

  override next(): Buffer {
    const request = super.next()
    let round = Math.floor(this.asked++ / pinsCount)
    if (round === 0) return request
    for (let n = 1; n <= turnDigits; n++) {
      request[cidEnd - n] = digits.charCodeAt(round % digits.length)
      round = Math.floor(round / digits.length)
    }
    return request
  }
}

function headers({ credential, isFresh = false }: RequestShape): string {
  return (
    `Host: 127.0.0.1\r\nAuthorization: Basic ${btoa(credential)}\r\n` +
    'Accept: application/json, text/plain, */*\r\nUser-Agent: axios/1.7.7\r\n' +
    (isFresh ? 'Connection: close\r\n' : '')
  )
}

function newCid(): string {
  const sha256 = Buffer.concat([Buffer.from([0x12, 0x20]), randomBytes(32)])
  return base58btc.baseEncode(sha256)
}
