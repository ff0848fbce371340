/** The opaque id under which an encoder's leases are kept: a listing shows it, and no name. */
import { createHash, randomInt } from 'node:crypto'

const digits = '0123456789abcdefghijklmnopqrstuvwxyz'
const length = 12

export const leaseIdPattern = `^[0-9a-z]{${length}}$`

/** For a new encoder: a later encoder of the same name inherits nothing. */
export const newLeaseId = (): string =>
  Array.from({ length }, () => digits.charAt(randomInt(digits.length))).join('')

/** For an encoder that was written down without one. */
export function leaseIdOf(encoder: string): string {
  const digest = createHash('sha256').update(`pinwarden lease ${encoder}`).digest()
  return Array.from(digest.subarray(0, length), (byte) => digits.charAt(byte % digits.length)).join(
    '',
  )
}
