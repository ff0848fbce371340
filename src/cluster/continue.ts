/** Connections that skip `100 Continue`, as RFC 9110 §15.2 requires of every client. */
import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { preparing } from './prepared-socket.js'

/** undici skips the other interim answers, and closes the connection at this one. */
export const passingOverContinue = (connect: buildConnector.connector): buildConnector.connector =>
  preparing(connect, filter)

const interim = Buffer.from('HTTP/1.1 100')
/** Where the status code of a first head begins, and its digit in all interim ones. */
const [codeAt, interimDigit] = ['HTTP/1.1 '.length, '1'.charCodeAt(0)]
const behindLine = Buffer.from('\nHTTP/1.1 100 ')
const headEnd = '\r\n\r\n'

/** Longer than any interim head. */
const heldBytesMax = 8192

/**
 * Checks bytes before the reader gets them. The body of a cluster's answer cannot contain such a
 * head: JSON has no CR, and after a line's end comes another object or the next answer.
 */
function filter(socket: Socket): void {
  const push = socket.push.bind(socket)
  let held: Buffer | undefined
  socket.push = (chunk: Buffer | null, encoding): boolean => {
    if (chunk === null) {
      if (held !== undefined) push(held)
      return push(null)
    }
    const bytes: Buffer = held === undefined ? chunk : Buffer.concat([held, chunk])
    held = undefined
    const { kept, rest } = withoutInterim(bytes)
    // Copied, as the memory may belong to the socket.
    if (rest !== undefined) held = Buffer.from(rest)
    return kept.length === 0 || push(kept, encoding)
  }
}

interface Split {
  readonly kept: Buffer
  /** The beginning of what may be an interim head. */
  readonly rest: Buffer | undefined
}

const isBeginning = (bytes: Buffer): boolean => {
  const beginning = bytes.subarray(0, interim.length)
  return interim.subarray(0, beginning.length).equals(beginning)
}

function withoutInterim(bytes: Buffer): Split {
  // Usually the digit alone decides.
  const isOther = bytes.length > codeAt && bytes[codeAt] !== interimDigit
  if (isOther || !isBeginning(bytes)) {
    const at = bytes.indexOf(behindLine) + 1
    if (at === 0) return { kept: bytes, rest: undefined }
    const { kept, rest } = withoutInterim(bytes.subarray(at))
    return { kept: Buffer.concat([bytes.subarray(0, at), kept]), rest }
  }
  const end = bytes.length < interim.length ? -1 : bytes.indexOf(headEnd)
  if (end >= 0) return withoutInterim(bytes.subarray(end + headEnd.length))
  const mayBe = bytes.length > 0 && bytes.length <= heldBytesMax
  return mayBe ? { kept: bytes.subarray(0, 0), rest: bytes } : { kept: bytes, rest: undefined }
}
