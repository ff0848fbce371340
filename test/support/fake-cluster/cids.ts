/** Reads CIDs with the rules and error texts of go-cid, and prints the canonical spelling. */
import { createHash } from 'node:crypto'
import { base32 } from 'multiformats/bases/base32'
import { base58btc } from 'multiformats/bases/base58'
import { decodeMultibase } from './bases.js'

const sha256Code = 0x12
const sha256Bytes = 32

/**
 * The canonical spelling: v0 in base58, v1 in lower-case base32. A v0 is never turned into a v1.
 *
 * @throws Error whose message is what stands behind `error decoding Cid: `
 */
export function decodeCid(text: string): string {
  return printCid(cidBytes(text))
}

/** @throws as {@link decodeCid} */
export function cidBytes(text: string): Uint8Array {
  // An invalid UTF-8 byte has become the replacement character, which has three bytes.
  if (Buffer.byteLength(text.replaceAll('\ufffd', '?')) < 2) throw invalid('cid too short')
  if (Buffer.byteLength(text) === 46 && text.startsWith('Qm')) return version0(text)
  let bytes
  try {
    bytes = decodeMultibase(text)
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error))
  }
  if (length(bytes) !== bytes.length) {
    throw invalid('trailing bytes in data buffer passed to cid Cast')
  }
  return bytes
}

export function printCid(bytes: Uint8Array): string {
  return bytes[0] === sha256Code ? base58btc.baseEncode(bytes) : base32.encode(bytes)
}

/** A CIDv1 (dag-pb) made of a text, for what a real cluster would have computed or resolved. */
export function cidOf(content: string | Uint8Array): string {
  const digest = createHash('sha256').update(content).digest()
  return printCid(Buffer.concat([Buffer.from([1, 0x70, sha256Code, sha256Bytes]), digest]))
}

const invalid = (why: string): Error => new Error(`invalid cid: ${why}`)

function version0(text: string): Uint8Array {
  let bytes
  try {
    bytes = base58btc.baseDecode(text)
  } catch {
    throw invalid("input isn't valid multihash")
  }
  // 46 characters that begin like this are 34 bytes, of which the first two vary little.
  const digestBytes = bytes[1] ?? 0
  if (digestBytes > bytes.length - 2) {
    throw invalid('length greater than remaining number of bytes in buffer')
  }
  if (digestBytes < bytes.length - 2) {
    const found = `expected ${digestBytes}; got ${bytes.length - 2}`
    throw invalid(`multihash length inconsistent: ${found}`)
  }
  return bytes
}

/** How many of the bytes are the CID; errors are wrapped twice, as in go-cid's Cast. */
function length(bytes: Uint8Array): number {
  const twice = (why: string) => invalid(`invalid cid: ${why}`)
  if (bytes[0] === sha256Code && bytes[1] === sha256Bytes && bytes.length > 2) {
    if (bytes.length < 34) throw twice('not enough bytes for cid v0')
    return 34
  }
  let at = 0
  const varint = (): number => {
    const start = at
    let value = 0n
    for (;;) {
      const byte = bytes[at++]
      if (byte === undefined) throw twice('varints malformed, could not reach the end')
      if (at - start > 9) throw twice('varints larger than uint63 not supported')
      value |= BigInt(byte & 0x7f) << BigInt(7 * (at - start - 1))
      if (byte < 0x80) {
        if (byte === 0 && at - start > 1) throw twice('varint not minimally encoded')
        return Number(value)
      }
    }
  }
  const version = varint()
  if (version !== 1) throw twice(`expected 1 as the cid version number, got: ${version}`)
  varint()
  if (bytes.length - at < 2) throw twice('multihash too short. must be >= 2 bytes')
  varint()
  const digestBytes = varint()
  if (digestBytes > bytes.length - at) {
    throw twice('length greater than remaining number of bytes in buffer')
  }
  return at + digestBytes
}
