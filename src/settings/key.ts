/** What a key looks like: how one is made, told from a slip of the hand, and hashed. */
import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * A new key: `pw_`, 256 random bits in base62, and a check part of six characters, as GitHub's
 * tokens have (https://github.blog/engineering/behind-githubs-new-authentication-token-formats/):
 * a typo is told from a wrong key, and secret scanners can find leaks without asking anybody.
 */
export function generateKey(): string {
  const secret = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), secretLength)
  return withCheck(`${prefix}${secret}`)
}

/** Whether the form and the check part are right: cheap, so that it can come before any hashing. */
export function keyForm(presented: string): 'well-formed' | 'malformed' | 'mistyped' {
  if (!form.test(presented)) return 'malformed'
  return withCheck(presented.slice(0, -checkLength)) === presented ? 'well-formed' : 'mistyped'
}

/**
 * SHA-256 in hex. A fast hash is right here: nobody can guess 256 random bits, and a slow one
 * would only be a lever for floods.
 */
export function digestOf(key: string): string {
  return hash('sha256', key, 'hex')
}

const prefix = 'pw_'
/** 62 to the power of 43 is the first above 2 to the power of 256. */
const secretLength = 43
const checkLength = 6
const form = /^pw_[0-9A-Za-z]{49}$/
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function withCheck(start: string): string {
  let rest = crc32(start)
  let check = ''
  for (let place = 0; place < checkLength; place += 1) {
    check = digits.charAt(rest % 62) + check
    rest = Math.floor(rest / 62)
  }
  return start + check
}

function base62(number: bigint, length: number): string {
  let rest = number
  let text = ''
  for (let place = 0; place < length; place += 1) {
    text = digits.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  return text
}
