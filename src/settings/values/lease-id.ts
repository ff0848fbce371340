/** The opaque id of an encoder's leases: a listing shows the id in place of the name. */
import { hash, randomInt } from 'node:crypto'

const digits = '0123456789abcdefghijklmnopqrstuvwxyz'
const length = 12

export const leaseIdPattern = `^[0-9a-z]{${length}}$`

/** Makes a random id, so that a later encoder of the same name inherits nothing. */
export const newLeaseId = (): string =>
  Array.from({ length }, () => digits.charAt(randomInt(digits.length))).join('')

/** The id of an encoder without one in the file. */
export function leaseIdOf(encoder: string): string {
  const digest = hash('sha256', `pinwarden lease ${encoder}`, 'buffer')
  return Array.from(digest.subarray(0, length), (byte) => digits.charAt(byte % digits.length)).join(
    '',
  )
}
