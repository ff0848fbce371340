/** Reads CIDs as the cluster does (go-cid), and prints the one canonical spelling. */
import { base2 } from 'multiformats/bases/base2'
import { base16 } from 'multiformats/bases/base16'
import { base256emoji } from 'multiformats/bases/base256emoji'
import { base32, base32hex, base32hexpad, base32pad } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { base58btc, base58flickr } from 'multiformats/bases/base58'
import { base64, base64pad, base64url, base64urlpad } from 'multiformats/bases/base64'
import { equals } from 'multiformats/bytes'
import { CID } from 'multiformats/cid'

interface Codec {
  decode(text: string): Uint8Array
  encode(bytes: Uint8Array): string
}

/** By multibase prefix; go-multibase reads these and ignores letter case in the first group. */
const caseless = new Map<string, Codec>([
  ['b', base32],
  ['c', base32pad],
  ['v', base32hex],
  ['t', base32hexpad],
  ['k', base36],
  ['f', base16],
])
const caseful = new Map<string, Codec>([
  ['z', base58btc],
  ['Z', base58flickr],
  ['m', base64],
  ['M', base64pad],
  ['u', base64url],
  ['U', base64urlpad],
  ['0', base2],
  ['🚀', base256emoji],
])

/** Longest accepted spelling: far above any hash in use, far below what takes time to decode. */
const charactersMax = 512

/**
 * The canonical spelling of a CID: v0 as base58btc, v1 as lower-case base32, as the cluster prints
 * it. CIDv0 and CIDv1 of one hash stay different: they are different pins.
 *
 * @returns undefined when the text is not a CID
 */
export function canonicalCid(text: string): string | undefined {
  if (text.length < 2 || text.length > charactersMax) return undefined
  if (v0.test(text)) return text >= lowest && text <= highest ? copyOf(text) : undefined
  try {
    const bytes = bytesOf(text)
    const cid = CID.decode(bytes)
    return isAsRead(cid, bytes) ? cid.toString() : undefined
  } catch {
    return undefined
  }
}

/** Parts of the gate keep CIDs for long, and V8 keeps the whole text that a part was cut from. */
const copyOf = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

/**
 * The form of nearly every CID. With the alphabet checked, the text is the only spelling of its
 * bytes.
 */
const v0 = /^Qm[1-9A-HJ-NP-Za-km-z]{44}$/

/**
 * The multihashes that a v0 can be, sha2-256 of 32 bytes, are those from all zeros to all ones:
 * base58 keeps their order, as its alphabet is in ASCII's.
 */
const lowest = 'QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51'
const highest = 'QmfZy5bvk7a3DQAjCbGNtmrPXWkyVvPrdnZMyBZ5q5ieKG'

/** The library also reads a v0 behind a version byte, and one with a hash that is not 32 bytes. */
const isAsRead = (cid: CID, bytes: Uint8Array): boolean =>
  equals(cid.bytes, bytes) && (cid.version === 1 || cid.multihash.size === 32)

/** @throws when the text is not in a known base */
function bytesOf(text: string): Uint8Array {
  if (text.length === 46 && text.startsWith('Qm')) return strictly(base58btc, `z${text}`)
  // Not toLowerCase alone: it makes a `k` of the Kelvin sign.
  const lower = text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  const anyCase = caseless.get(lower.charAt(0))
  if (anyCase !== undefined) return strictly(anyCase, lower)
  const codec = caseful.get(String.fromCodePoint(text.codePointAt(0) ?? 0))
  if (codec === undefined) throw new Error('unknown base')
  return strictly(codec, text)
}

/** The library's base58 reads any character past U+00FF as a zero, its base32 any padding. */
function strictly(codec: Codec, text: string): Uint8Array {
  const bytes = codec.decode(text)
  if (codec.encode(bytes) !== text) throw new Error('not what these bytes are written as')
  return bytes
}
