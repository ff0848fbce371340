/** One CID has many spellings: all of them must end as the one that the cluster prints. */
import { base2 } from 'multiformats/bases/base2'
import { base16, base16upper } from 'multiformats/bases/base16'
import { base256emoji } from 'multiformats/bases/base256emoji'
import {
  base32,
  base32hex,
  base32hexpad,
  base32hexpadupper,
  base32hexupper,
  base32pad,
  base32padupper,
  base32upper,
} from 'multiformats/bases/base32'
import { base36, base36upper } from 'multiformats/bases/base36'
import { base58btc, base58flickr } from 'multiformats/bases/base58'
import { base64, base64pad, base64url, base64urlpad } from 'multiformats/bases/base64'
import { CID } from 'multiformats/cid'
import t from 'tap'
import { canonicalCid } from '../../src/cluster/cid.js'

const v0 = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const v1 = CID.parse(v0).toV1().toString()
const multihash = base58btc.baseDecode(v0)
const hex = base16.baseEncode(multihash)
/** A CIDv1 of the bytes that follow its version byte. */
const bytesOf = (hex: string): Uint8Array => base16.baseDecode(hex)

const bases = [
  [base32, base32upper, base32pad, base32padupper],
  [base32hex, base32hexupper, base32hexpad, base32hexpadupper],
  [base36, base36upper, base58btc, base58flickr, base16, base16upper],
  [base64, base64pad, base64url, base64urlpad, base2, base256emoji],
].flat()
const isCaseless = (prefix: string): boolean => /[bcvtkf]/i.test(prefix)

const upperOf = (text: string): string => text.toUpperCase()
const mixedOf = (text: string): string =>
  Array.from(text)
    .map((letter, i) => (i % 2 === 0 ? letter.toUpperCase() : letter))
    .join('')

t.test('every spelling of a CIDv1 is printed as lower-case base32', async (t) => {
  const { bytes } = CID.parse(v1)
  t.match(v1, /^bafybei[a-z2-7]{52}$/)
  for (const base of bases) {
    const spelling = base.encode(bytes)
    t.equal(canonicalCid(spelling), v1, `${base.name}: ${spelling}`)
  }
})

t.test('a hash behind a multibase prefix is its CIDv0', async (t) => {
  for (const base of bases) t.equal(canonicalCid(base.encode(multihash)), v0, base.name)
  t.equal(canonicalCid(`z${v0}`), v0, 'zQm…')
})

t.test('base32, base36 and base16 are read in any letter case', async (t) => {
  const { bytes } = CID.parse(v1)
  for (const base of bases.filter(({ prefix }) => isCaseless(prefix))) {
    const spelling = base.encode(bytes).toLowerCase()
    t.equal(canonicalCid(upperOf(spelling)), v1, `${base.name}, upper`)
    t.equal(canonicalCid(mixedOf(spelling)), v1, `${base.name}, mixed`)
  }
})

t.test('letter case matters where it is part of the alphabet', async (t) => {
  for (const base of [base58btc, base64, base64url]) {
    const spelling = base.encode(CID.parse(v1).bytes)
    t.not(canonicalCid(base.prefix + upperOf(spelling.slice(1))), v1, base.name)
  }
  t.equal(canonicalCid(v0.toLowerCase()), undefined)
})

t.test('CIDv0 and CIDv1 of one hash stay different', async (t) => {
  t.equal(canonicalCid(v0), v0)
  t.equal(canonicalCid(v1), v1)
})

t.test('any codec and any hash is accepted', async (t) => {
  const cases = {
    'raw, identity, empty': '01550000',
    'raw, identity, "hello"': '0155000568656c6c6f',
    'dag-cbor, sha2-256': `0171${hex}`,
    'raw, sha2-512': `01551340${'ab'.repeat(64)}`,
    'raw, blake2b-256': `0155a0e40220${'ab'.repeat(32)}`,
    'an unknown codec': `01ffffff7f${hex}`,
    'sha2-256 cut to 20 bytes': `01551214${'ab'.repeat(20)}`,
  }
  for (const [what, bytes] of Object.entries(cases)) {
    const canonical = base32.encode(bytesOf(bytes))
    t.equal(canonicalCid(canonical), canonical, what)
    t.equal(canonicalCid(base58btc.encode(bytesOf(bytes))), canonical, `${what}, in base58`)
  }
})

t.test('the name of an IPNS key (k51…) is a CID too, printed in base32', async (t) => {
  const name = 'k51qzi5uqu5dkkciu33khkzbcmxtyhn376i1e83tya8kuy7z9euedzyr5nhoew'
  const canonical = CID.parse(name, base36).toString(base32)
  t.match(canonical, /^bafzaajaiaejc/)
  t.equal(canonicalCid(name), canonical)
  t.equal(canonicalCid(name.toUpperCase()), canonical)
})

t.test('text that the cluster does not accept as a CID is refused', async (t) => {
  const cases = {
    'empty text': '',
    'one letter': 'a',
    'a prefix alone': 'b',
    'the rocket alone': '🚀',
    'a word': 'hello',
    'an unknown base': 'abcd',
    recover: 'recover',
    ipfs: 'ipfs',
    'a short Qm…': 'QmTooShort',
    'a Qm… of 45 characters': v0.slice(0, -1),
    'a Qm… of 47 characters': `${v0}1`,
    'a Qm… with a character that base58 lacks': `${v0.slice(0, -1)}0`,
    'a Qm… with a character far from base58': `${v0.slice(0, -1)}Ж`,
    'a Qm… that is no hash': `Qm${'z'.repeat(44)}`,
    'a peer ID': '12D3KooWG395pxKwfAyFr4uzVdKNTWNXucp3v9yVGucYKZ5PhBC4',
    'a space before': ` ${v0}`,
    'a space after': `${v1} `,
    'a zero byte after': `${v1}\0`,
    'an illegal character': `${v1.slice(0, -1)}1`,
    'padding that is not due': `${v1}====`,
    'padding inside': `${v1.slice(0, 20)}=${v1.slice(21)}`,
    'a CIDv1 cut short': v1.slice(0, -4),
    'a path': `/ipfs/${v0}`,
    'a Kelvin sign for the k of base36': `\u212A${base36.encode(CID.parse(v1).bytes).slice(1)}`,
    'a Kelvin sign for a k': v1.replace('k', '\u212A'),
    'more than any hash needs': base32.encode(bytesOf(`015500ff02${'ab'.repeat(383)}`)),
  }
  t.ok(v1.includes('k'))
  for (const [what, text] of Object.entries(cases)) t.equal(canonicalCid(text), undefined, what)
})

t.test('bytes that are not exactly one CID are refused in every base', async (t) => {
  const cases = {
    nothing: '',
    'trailing byte after a CIDv1': `0170${hex}00`,
    'trailing byte after a CIDv0': `${hex}00`,
    'version 0 spelled out': `0070${hex}`,
    'version 2': `0270${hex}`,
    'a version in two bytes': `810070${hex}`,
    'a codec in more bytes than it needs': `01f000${hex}`,
    'a hash shorter than it says': `0170${hex.slice(0, -2)}`,
    'a version alone': '01',
    'a version and a codec alone': '0170',
    'a CIDv0 of a short sha2-256': `1205${hex.slice(4, 14)}`,
    'a CIDv0 of a long sha2-256': `1221${hex.slice(4)}00`,
    'a bare hash that is no sha2-256': `1340${'ab'.repeat(64)}`,
    'a number without an end': 'ff'.repeat(40),
    'a codec of ten bytes': `01${'ff'.repeat(9)}01${hex}`,
  }
  for (const [what, bytes] of Object.entries(cases)) {
    for (const base of [base16, base32, base58btc, base64url]) {
      t.equal(canonicalCid(base.encode(bytesOf(bytes))), undefined, `${what}, ${base.name}`)
    }
  }
})

t.test('it never throws, and its canonical spelling is stable', async (t) => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31)
  t.comment(`FUZZ_SEED=${seed}`)
  const random = randomOf(seed)
  const alphabet = Array.from('QmbBcCvVtTkKzZfFmMuU0🚀123=-_+/ Ж\0ſİ\u212A😂❤')
  const spellings = [v0, `z${v0}`, ...bases.map((base) => base.encode(CID.parse(v1).bytes))]
  let read = 0
  for (let round = 0; round < 4000; round++) {
    const letters = Array.from(spellings[random(spellings.length)] ?? '')
    for (let edits = random(3); edits > 0; edits--) {
      const letter =
        random(2) === 0 ? letters[random(letters.length)] : alphabet[random(alphabet.length)]
      letters.splice(
        random(letters.length + 1),
        random(3),
        ...(random(2) === 0 ? [letter ?? ''] : []),
      )
    }
    const text = letters.join('')
    const canonical = canonicalCid(text)
    if (canonical === undefined) continue
    read++
    if (canonicalCid(canonical) !== canonical || !/^(Qm|b)[0-9A-Za-z]+$/.test(canonical)) {
      t.fail('not printed again', { seed, text, canonical })
    }
  }
  t.ok(read > 400, 'some are left readable')
})

/** A linear congruential generator: the same seed, the same numbers. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
