/** Decodes multibase text, with the error texts of go-multibase. */
import { base16 } from 'multiformats/bases/base16'
import { base256emoji } from 'multiformats/bases/base256emoji'
import { base36 } from 'multiformats/bases/base36'
import { base58btc, base58flickr } from 'multiformats/bases/base58'

interface Base {
  readonly decoder: { decode(text: string): Uint8Array }
  readonly legal: RegExp
  /** What go-multibase says of the first illegal character; `index` counts behind the prefix. */
  readonly complaint: (index: number, character: string) => string
  /** What it says when all characters are legal, but not so many of them. */
  readonly badLength?: (characters: number) => string
}

const byPosition = (name: string) => (index: number) =>
  `illegal ${name} data at input byte ${index}`
const byDigit = (name: string) => (_index: number, character: string) =>
  `invalid ${name} digit ('${character}')`
const hex = (_index: number, character: string) => {
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
  return `encoding/hex: invalid byte: U+${code} '${character}'`
}

const byCharacter = (_index: number, character: string) =>
  `invalid base36 character ('${character}')`

/** The fault is reported at the beginning of an incomplete group. */
const inGroupsOf = (size: number, name: string) => (characters: number) =>
  byPosition(name)(characters - (characters % size))

const emoji = /\p{Extended_Pictographic}|\p{Emoji_Presentation}|\p{So}|\p{Sk}/u
const byEmoji = (index: number, character: string) =>
  `illegal base256emoji data at input byte ${index}, char: '${character}'`

/** Taken as it stands, behind a prefix that is a zero byte. */
const identity: Base = {
  decoder: { decode: (text) => Buffer.from(text.slice(1)) },
  legal: /[^]/u,
  complaint: String,
}

/** Filled up with zeros in front. */
const base2: Base = {
  decoder: {
    decode: (text) => {
      const digits = text.slice(1)
      const full = digits.padStart(8 * Math.ceil(digits.length / 8), '0')
      return Uint8Array.from(full.match(/.{8}/g) ?? [], (byte) => {
        if (/^[01]*$/.test(byte)) return Number.parseInt(byte, 2)
        const why = `strconv.ParseInt: parsing "${byte}": invalid syntax`
        throw new BadDigits(`error while conversion: ${why}`)
      })
    },
  },
  legal: /[^]/u,
  complaint: String,
}

class BadDigits extends Error {}

const base58 = /[1-9A-HJ-NP-Za-km-z]/

const plain32 = 'abcdefghijklmnopqrstuvwxyz234567'
const hex32 = '0123456789abcdefghijklmnopqrstuv'
const plain64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const url64 = plain64.replace('+/', '-_')

/** As forgiving as Go: bits left over at the end do not count, nor half a byte in base32. */
function bits(alphabet: string, padded = false): Base['decoder'] {
  const width = Math.log2(alphabet.length)
  const group = width === 5 ? 8 : 4
  const decode = (text: string): Uint8Array => {
    if (padded && text.length % group !== 1) throw new Error('not padded')
    const digits = text.slice(1).replace(/=+$/, '')
    const rest = digits.length % group
    if (width === 6 && rest === 1) throw new Error('one digit too many')
    const used = width === 5 && [1, 3, 6].includes(rest) ? digits.length - rest : digits.length
    const bytes: number[] = []
    let held = 0
    for (let at = 0, count = 0; at < used; at++) {
      held = ((held << width) | alphabet.indexOf(digits.charAt(at))) & 0xffff
      count += width
      if (count < 8) continue
      count -= 8
      bytes.push((held >> count) & 0xff)
    }
    return Uint8Array.from(bytes)
  }
  return { decode }
}

/** Read in any letter case. */
const caseless = new Map<string, Base>([
  [
    'b',
    {
      decoder: bits(plain32),
      legal: /[a-z2-7]/,
      complaint: byPosition('base32'),
      badLength: inGroupsOf(8, 'base32'),
    },
  ],
  [
    'c',
    {
      decoder: bits(plain32, true),
      legal: /[a-z2-7=]/,
      complaint: byPosition('base32'),
      badLength: inGroupsOf(8, 'base32'),
    },
  ],
  [
    'v',
    {
      decoder: bits(hex32),
      legal: /[0-9a-v]/,
      complaint: byPosition('base32'),
      badLength: inGroupsOf(8, 'base32'),
    },
  ],
  [
    't',
    {
      decoder: bits(hex32, true),
      legal: /[0-9a-v=]/,
      complaint: byPosition('base32'),
      badLength: inGroupsOf(8, 'base32'),
    },
  ],
  ['k', { decoder: base36, legal: /[0-9a-z]/, complaint: byCharacter }],
  [
    'f',
    {
      decoder: base16,
      legal: /[0-9a-f]/,
      complaint: hex,
      badLength: () => 'encoding/hex: odd length hex string',
    },
  ],
])
const caseful = new Map<string, Base>([
  ['z', { decoder: base58btc, legal: base58, complaint: byDigit('base58') }],
  ['Z', { decoder: base58flickr, legal: base58, complaint: byDigit('base58') }],
  [
    'm',
    {
      decoder: bits(plain64),
      legal: /[A-Za-z0-9+/]/,
      complaint: byPosition('base64'),
      badLength: inGroupsOf(4, 'base64'),
    },
  ],
  [
    'M',
    {
      decoder: bits(plain64, true),
      legal: /[A-Za-z0-9+/=]/,
      complaint: byPosition('base64'),
      badLength: inGroupsOf(4, 'base64'),
    },
  ],
  [
    'u',
    {
      decoder: bits(url64),
      legal: /[A-Za-z0-9_-]/,
      complaint: byPosition('base64'),
      badLength: inGroupsOf(4, 'base64'),
    },
  ],
  [
    'U',
    {
      decoder: bits(url64, true),
      legal: /[A-Za-z0-9_=-]/,
      complaint: byPosition('base64'),
      badLength: inGroupsOf(4, 'base64'),
    },
  ],
  ['0', base2],
  ['\0', identity],
  ['🚀', { decoder: base256emoji, legal: emoji, complaint: byEmoji }],
])

/** @throws Error with the text of go-multibase */
export function decodeMultibase(text: string): Uint8Array {
  const prefix = String.fromCodePoint(text.codePointAt(0) ?? 0)
  const anyCase = caseless.get(prefix.toLowerCase())
  const base = anyCase ?? caseful.get(prefix)
  if (base === undefined) throw new Error('selected encoding not supported')
  const spelled = anyCase === undefined ? text : text.toLowerCase()
  const data = spelled.slice(prefix.length)
  const characters = Array.from(data)
  const illegal = characters.findIndex((character) => !base.legal.test(character))
  if (illegal >= 0) throw new Error(base.complaint(illegal, characters[illegal] ?? ''))
  try {
    return base.decoder.decode(spelled)
  } catch (error) {
    if (error instanceof BadDigits) throw error
    // All characters are legal, so their number is not.
    const why = base.badLength?.(data.length) ?? base.complaint(data.length, data.at(-1) ?? '')
    throw new Error(why, { cause: error })
  }
}
