/** Whom the peers let in, and the password files that say so. */
import { createHash } from 'node:crypto'

export const user = 'encoder-1'
/** As long as a key of the gate. */
export const password = 'not_a_secret_0123456789abcdefghijklmnopqrstuvwxyzABC'
export const credential = `${user}:${password}`

/** How the password of {@link user} is stored. */
export const stored = {
  apr1: '$apr1$benchben$hr2KtCldnIPODGCPmQivO1',
  bcrypt: '$2y$05$benchbenchbenchbenchbeeXwtean9ixHbzpERjg3ybbnk8r.ksUG',
  ssha: ssha(password),
}

export type Scheme = keyof typeof stored

/**
 * Names of so many users, the one that is asked for in the middle: files are read from the start.
 */
export function names(count: number): string[] {
  const middle = Math.floor(count / 2)
  return Array.from({ length: count }, (_, n) => (n === middle ? user : `other-${n}`))
}

/** For nginx. */
export function passwordFile(scheme: Scheme, count: number): string {
  return names(count)
    .map((name) => `${name}:${name === user ? stored[scheme] : ssha(name)}\n`)
    .join('')
}

function ssha(text: string): string {
  const salt = Buffer.from('saltsalt')
  const digest = createHash('sha1').update(text).update(salt).digest()
  return `{SSHA}${Buffer.concat([digest, salt]).toString('base64')}`
}
