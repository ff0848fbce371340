/** What a key looks like, and how a typo in one shows; uses no API that Node 18 lacks. */

/**
 * A key around its secret: `pw_`, the secret in base62, and a check part of six characters, as
 * GitHub's tokens have (https://github.blog/engineering/behind-githubs-new-authentication-token-
 * formats/): so a typo differs from a wrong key, and secret scanners find leaks without asking
 * a service.
 *
 * @param secret of 43 characters
 */
export const keyAround = (secret: string): string => withCheck(`pw_${secret}`)

/** Whether form and check part are right: a cheap test that precedes any hashing. */
export function keyForm(presented: string): 'well-formed' | 'malformed' | 'mistyped' {
  if (!form.test(presented)) return 'malformed'
  return withCheck(presented.slice(0, -checkLength)) === presented ? 'well-formed' : 'mistyped'
}

/** The digits of base62. */
export const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const form = /^pw_[0-9A-Za-z]{49}$/
const checkLength = 6

function withCheck(start: string): string {
  let rest = crc32(start)
  let check = ''
  for (let place = 0; place < checkLength; place += 1) {
    check = digits.charAt(rest % 62) + check
    rest = Math.floor(rest / 62)
  }
  return start + check
}

/** CRC-32 as in zlib, which Node has only from 20.15 on. The text is ASCII. */
function crc32(text: string): number {
  let rest = -1
  for (let at = 0; at < text.length; at += 1)
    rest = (rest >>> 8) ^ (remainders[(rest ^ text.charCodeAt(at)) & 0xff] ?? 0)
  return ~rest >>> 0
}

/** CRC-32 of each byte. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0)
  return rest
})
