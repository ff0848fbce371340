/**
 * A cluster that costs as little as it can: a process of its own, the same for every program.
 * Prebuilt answers, at each of the addresses that it is given after its port; `GET /bench/…` sets
 * the listing and tells how often one was asked.
 */
import { createServer, type Socket } from 'node:net'
import {
  answerOf,
  type Flushing,
  idAnswer,
  Listing,
  nothing,
  pinAnswerFor,
  statusesOf,
  unknownPin,
  versionAnswer,
} from './upstream-answers.js'

let listing = new Listing(1000, 'line')
let listingsAsked = 0

const [port, ...addresses] = process.argv.slice(2)
for (const address of addresses)
  createServer({ noDelay: true }, serve).listen(Number(port), address)

function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    for (;;) {
      const end = endOf(rest)
      if (end === undefined) return
      const line = rest.toString('latin1', 0, rest.indexOf('\r\n'))
      rest = rest.subarray(end)
      answer(socket, line)
    }
  })
}

function answer(socket: Socket, line: string): void {
  if (line.startsWith('POST /pins/'))
    socket.write(pinAnswerFor(line.slice(cidStart, cidStart + cidLength)), 'latin1')
  else if (line.startsWith('GET /id ')) socket.write(idAnswer)
  else if (line.startsWith('GET /allocations/')) socket.write(unknownPin)
  else if (line.startsWith('GET /health ')) socket.write(nothing)
  else if (line.startsWith('GET /version ')) socket.write(versionAnswer)
  // The cluster is at no pin: each of them is pinned at once.
  else if (line.startsWith('GET /pins?filter=')) socket.write(nothing)
  else if (line.startsWith('GET /pins?cids=')) socket.write(statusesOf(cidsIn(line)))
  else if (/^GET \/pins[ ?]/.test(line)) {
    listingsAsked++
    listing.send(socket)
  } else socket.write(control(line))
}

const cidStart = 'POST /pins/'.length
const cidLength = 46

const cidsIn = (line: string): string[] => /cids=([^& ]*)/.exec(line)?.[1]?.split(/,|%2C/) ?? []

function control(line: string): Buffer {
  const set = /^GET \/bench\/set\?lines=(\d+)&mode=(line|encoded|block) /.exec(line)
  if (set !== null) {
    listing = new Listing(Number(set[1]), set[2] as Flushing)
    listingsAsked = 0
    return answerOf(JSON.stringify({ bytes: listing.bytes }))
  }
  if (line.startsWith('GET /bench/count ')) return answerOf(JSON.stringify({ listingsAsked }))
  return answerOf('{"code":404,"message":"not found"}\n', '404 Not Found')
}

/** Where the first request ends; undefined: it has not come whole. */
function endOf(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const bodyStart = headEnd + 4
  // A GET has no body here.
  if (bytes[0] === 0x47) return bodyStart
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) {
    const end = bodyStart + Number(length)
    return end <= bytes.length ? end : undefined
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return bodyStart
  const last = bytes.indexOf('0\r\n\r\n', bodyStart)
  return last === -1 ? undefined : last + 5
}
