/** Generates and hashes keys. */
import { hash, randomBytes } from 'node:crypto'
import { digits, keyAround } from './key-form.js'

/** A new key around 256 random bits. */
export function generateKey(): string {
  return keyAround(base62(BigInt(`0x${randomBytes(32).toString('hex')}`), secretLength))
}

/**
 * SHA-256 in hex. A fast hash is right here: 256 random bits cannot be guessed, and a slow one
 * would only help floods.
 */
export function digestOf(key: string): string {
  return hash('sha256', key, 'hex')
}

/** 62 to the power of 43 is the first above 2 to the power of 256. */
const secretLength = 43

function base62(number: bigint, length: number): string {
  let rest = number
  let text = ''
  for (let place = 0; place < length; place += 1) {
    text = digits.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  return text
}
