/** What the cluster of the bench answers, in the shapes of the real one. */
import type { Socket } from 'node:net'

const peer = '12D3KooWNYvqTYmKqkSRoBCsVkxXzPuk7SwXbAz4GpsEdnkBzXJk'
const date = 'Date: Mon, 01 Jan 2026 00:00:00 GMT'
const type = 'Content-Type: application/json'

export function answerOf(body: string, status = '200 OK'): Buffer {
  return Buffer.from(
    `HTTP/1.1 ${status}\r\n${type}\r\nX-Content-Type-Options: nosniff\r\n${date}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

export const bodyBytes = (answer: Buffer): number => answer.length - answer.indexOf('\r\n\r\n') - 4

const addresses = (port: number, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `/ip4/192.0.2.${n + 1}/tcp/${port}/p2p/${peer}`)

export const idAnswer = answerOf(
  JSON.stringify({
    id: peer,
    addresses: addresses(9096, 4),
    cluster_peers: [peer],
    cluster_peers_addresses: null,
    version: '1.1.4',
    commit: '',
    rpc_protocol_version: '/ipfscluster/1.0/rpc',
    error: '',
    ipfs: { id: peer, addresses: addresses(4001, 4), error: '' },
    peername: 'bench',
  }) + '\n',
)

const pinnedCid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

export const pinAnswer = answerOf(
  JSON.stringify({
    replication_factor_min: -1,
    replication_factor_max: -1,
    name: '',
    mode: 'recursive',
    shard_size: 0,
    user_allocations: null,
    expire_at: '0001-01-01T00:00:00Z',
    metadata: { 'pinwarden.lease.abcdefghijkl': '20260101T000000Z/..', note: 'x'.repeat(440) },
    pin_update: null,
    origins: [],
    cid: pinnedCid,
    type: 'pin',
    allocations: [],
    max_depth: -1,
    reference: null,
    timestamp: '2026-01-01T00:00:00Z',
  }) + '\n',
)

const lease = '"pinwarden.lease.abcdefghijkl":"20260101T000000Z/..",'

/** Of the body of a pin's answer: what the cluster says, and what the gate shows of it. */
export const pinBytes = { said: bodyBytes(pinAnswer), shown: bodyBytes(pinAnswer) - lease.length }

const pinAnswerText = pinAnswer.toString('latin1')

/** What the cluster answers to a pin of `cid`, which is as long as every other CID here. */
export const pinAnswerFor = (cid: string): string => pinAnswerText.replace(pinnedCid, cid)

/** Of an empty listing, and of a cluster that is well. */
export const nothing = Buffer.from(`HTTP/1.1 204 No Content\r\n${type}\r\n${date}\r\n\r\n`)

export const versionAnswer = answerOf('{"version":"1.1.4"}\n')

/** The answer for a pin that no peer has. */
export const unknownPin = answerOf(
  '{"code":404,"message":"pin is not part of the pinset"}\n',
  '404 Not Found',
)

const lineBytes = 620
const distinct = 256
const blockBytes = 65_536
const turnWrites = 64
/** What a line takes a cluster to encode, before it can be written. */
const encodingMs = 0.002

/** `encoded`: line by line, and each has taken its time. */
export type Flushing = 'line' | 'encoded' | 'block'

const lines = Array.from({ length: distinct }, (_, n) => lineOf(`Qm${String(n).padStart(44, 'Y')}`))

function lineOf(cid: string): string {
  const start =
    `{"cid":"${cid}","name":"","allocations":[],"origins":[],` +
    `"created":"2026-01-01T00:00:00Z","metadata":null,"peer_map":{"${peer}":{"peername":"bench",` +
    `"ipfs_peer_id":"${peer}","ipfs_peer_addresses":[${JSON.stringify(addresses(4001, 2)[0])}],` +
    `"status":"pinned","timestamp":"2026-01-01T00:00:00Z","error":"`
  const end = '","attempt_count":0,"priority_pin":false}}}\n'
  return start + 'x'.repeat(Math.max(0, lineBytes - start.length - end.length)) + end
}

const chunkOf = (text: string): Buffer =>
  Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)

const head = Buffer.from(
  `HTTP/1.1 200 OK\r\n${type}\r\n${date}\r\nTrailer: X-Stream-Error\r\n` +
    'Transfer-Encoding: chunked\r\n\r\n',
)
const end = Buffer.from('0\r\n\r\n')

/** A listing: each line a chunk and a write of its own, or many in one chunk. */
export class Listing {
  /** Without the framing. */
  readonly bytes: number
  private readonly writes: readonly Buffer[]
  private readonly writesCount: number

  constructor(
    count: number,
    private readonly flushing: Flushing,
  ) {
    const perWrite = flushing === 'block' ? Math.floor(blockBytes / lineBytes) : 1
    this.writes = Array.from({ length: distinct }, (_, n) =>
      chunkOf(Array.from({ length: perWrite }, (_, m) => lines[(n + m) % distinct]).join('')),
    )
    this.writesCount = Math.ceil(count / perWrite)
    const each = Buffer.byteLength(lines[0] ?? '')
    this.bytes = this.writesCount * perWrite * each
  }

  /**
   * Node would join what it could not write at once, so there is one write at a time; and a turn
   * of the loop now and then is for others who read.
   */
  send(socket: Socket): void {
    let written = 0
    let isWaiting = false
    const go = (): void => {
      for (let turn = 0; turn < turnWrites; turn++) {
        if (socket.destroyed) return
        if (written === this.writesCount) {
          socket.write(end)
          return
        }
        if (this.flushing === 'encoded') spin()
        socket.write(this.writes[written++ % distinct] ?? end, onWritten)
        isWaiting = socket.writableLength > 0
        if (isWaiting) return
      }
      setImmediate(go)
    }
    const onWritten = (): void => {
      if (!isWaiting) return
      isWaiting = false
      go()
    }
    socket.write(head)
    go()
  }
}

/** Of `GET /pins?cids=…`: every pin is pinned. */
export const statusesOf = (cids: readonly string[]): Buffer =>
  Buffer.concat([head, ...cids.map((cid) => chunkOf(lineOf(cid))), end])

function spin(): void {
  const endMs = performance.now() + encodingMs
  while (performance.now() < endMs);
}
