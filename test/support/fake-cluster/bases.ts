/** Decodes multibase text, with the error texts of go-multibase. */
import { base2 } from 'multiformats/bases/base2'
import { base16 } from 'multiformats/bases/base16'
import { base256emoji } from 'multiformats/bases/base256emoji'
import { base32, base32hex, base32hexpad, base32pad } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { base58btc, base58flickr } from 'multiformats/bases/base58'
import { base64, base64pad, base64url, base64urlpad } from 'multiformats/bases/base64'

interface Base {
  readonly decoder: { decode(text: string): Uint8Array }
  readonly legal: RegExp
  /** What go-multibase says of the first illegal character; `index` is counted behind the prefix. */
  readonly complaint: (index: number, character: string) => string
}

const byPosition = (name: string) => (index: number) =>
  `illegal ${name} data at input byte ${index}`
const byDigit = (name: string) => (_index: number, character: string) =>
  `invalid ${name} digit ('${character}')`
const hex = (_index: number, character: string) =>
  `encoding/hex: invalid byte: U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} '${character}'`

const base58 = /[1-9A-HJ-NP-Za-km-z]/

/** Read in any letter case. */
const caseless = new Map<string, Base>([
  ['b', { decoder: base32, legal: /[a-z2-7]/, complaint: byPosition('base32') }],
  ['c', { decoder: base32pad, legal: /[a-z2-7=]/, complaint: byPosition('base32') }],
  ['v', { decoder: base32hex, legal: /[0-9a-v]/, complaint: byPosition('base32') }],
  ['t', { decoder: base32hexpad, legal: /[0-9a-v=]/, complaint: byPosition('base32') }],
  ['k', { decoder: base36, legal: /[0-9a-z]/, complaint: byDigit('base36') }],
  ['f', { decoder: base16, legal: /[0-9a-f]/, complaint: hex }],
])
const caseful = new Map<string, Base>([
  ['z', { decoder: base58btc, legal: base58, complaint: byDigit('base58') }],
  ['Z', { decoder: base58flickr, legal: base58, complaint: byDigit('base58') }],
  ['m', { decoder: base64, legal: /[A-Za-z0-9+/]/, complaint: byPosition('base64') }],
  ['M', { decoder: base64pad, legal: /[A-Za-z0-9+/=]/, complaint: byPosition('base64') }],
  ['u', { decoder: base64url, legal: /[A-Za-z0-9_-]/, complaint: byPosition('base64') }],
  ['U', { decoder: base64urlpad, legal: /[A-Za-z0-9_=-]/, complaint: byPosition('base64') }],
  ['0', { decoder: base2, legal: /[01]/, complaint: byDigit('base2') }],
  ['🚀', { decoder: base256emoji, legal: /./u, complaint: byDigit('base256emoji') }],
])

/** @throws Error with the text of go-multibase */
export function decodeMultibase(text: string): Uint8Array {
  const prefix = String.fromCodePoint(text.codePointAt(0) ?? 0)
  const anyCase = caseless.get(prefix.toLowerCase())
  const base = anyCase ?? caseful.get(prefix)
  if (base === undefined) throw new Error('selected encoding not supported')
  const spelled = anyCase === undefined ? text : text.toLowerCase()
  const data = spelled.slice(prefix.length)
  const illegal = [...data].findIndex((character) => !base.legal.test(character))
  if (illegal >= 0) throw new Error(base.complaint(illegal, [...data][illegal] ?? ''))
  try {
    return base.decoder.decode(spelled)
  } catch {
    // All characters are legal, so their number is not.
    throw new Error(base.complaint(data.length, data.at(-1) ?? ''))
  }
}
