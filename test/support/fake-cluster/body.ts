/** Reads a request's body into its record, whatever its framing. */
import type { Framing } from './head.js'
import type { Incoming } from './incoming.js'
import type { ReceivedRequest } from './received.js'

const lineBytesMax = 8192

/** False when the body broke off or its chunks are malformed. */
export async function readBody(
  incoming: Incoming,
  framing: Framing,
  request: ReceivedRequest,
): Promise<boolean> {
  const body = (piece: Buffer) => {
    request.addRaw(piece)
    request.addBody(piece)
  }
  if (framing.kind === 'length') return incoming.pass(framing.bytes, body)
  const line = async () => {
    const bytes = await incoming.through('\r\n', lineBytesMax)
    if (bytes !== undefined) request.addRaw(bytes)
    return bytes?.toString('latin1').slice(0, -2)
  }
  for (;;) {
    const [, digits] = /^([0-9a-fA-F]{1,12})(?:;.*)?$/.exec((await line()) ?? '') ?? []
    if (digits === undefined) return false
    const bytes = Number.parseInt(digits, 16)
    if (bytes === 0) break
    if (!(await incoming.pass(bytes, body)) || (await line()) !== '') return false
  }
  for (;;) {
    const trailer = await line()
    if (trailer === undefined) return false
    if (trailer === '') return true
  }
}
