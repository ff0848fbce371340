/** Parses IPFS_CLUSTER_ENDPOINT as the encoder's axios would, and explains its problems. */
import { keyForm } from '../../settings/keyring/key-form.js'
import { isLoopback } from '../../settings/values/network.js'
import { namePattern } from '../../settings/schema/names.js'
import type { ProbeProblem } from './steps.js'

export interface EncoderUrl {
  /** Origin and path, without a credential; paths such as `/id` are appended as they are. */
  readonly base: string
  readonly isTls: boolean
  /** Without the brackets of IPv6. */
  readonly host: string
  readonly port: number
  readonly name: string
  readonly authorization: string
  /** Text that must never be shown. */
  readonly secrets: readonly string[]
  /** A note, not a failure. */
  readonly notes: readonly string[]
}

/** @returns everything that is wrong with it */
export function readEncoderUrl(text: string): EncoderUrl | readonly ProbeProblem[] {
  const slip = slipOf(text)
  if (slip !== undefined) return [slip]
  const [, userinfo, path = ''] = /^https?:\/\/(?:([^/?#]*)@)?[^/?#]*([^?#]*)/i.exec(text) ?? []
  const url = new URL(text)
  const problems = [...credentialProblems(userinfo), ...tailProblems(text)]
  if (problems.length > 0) return problems

  const [name = '', key = ''] = (userinfo ?? '').split(':')
  const isTls = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const credential = Buffer.from(`${name}:${key}`).toString('base64')
  return {
    ...{ base: `${url.origin}${path}`, isTls, host, name },
    port: Number(url.port === '' ? (isTls ? 443 : 80) : url.port),
    authorization: `Basic ${credential}`,
    secrets: [key, credential],
    notes: notesOf(path, isTls || isLoopback(host)),
  }
}

const form = 'the form is https://NAME:KEY@host:port, as pinwarden keys add prints it'

/** Why the value is not an HTTP URL. */
function slipOf(text: string): ProbeProblem | undefined {
  if (text.trim() !== text)
    return { what: 'there is white space around the value', help: 'remove it in the .env file' }
  if (/^["'`“‘]|["'`”’]$/.test(text))
    return {
      what: 'there are quotes around the value, as part of it',
      help: 'remove them in the .env file: not every program ignores them',
    }
  if (/^(?:export\s+)?IPFS_CLUSTER_ENDPOINT=/.test(text))
    return {
      what: "the variable's name is part of the value",
      help: 'give only the part after the =',
    }
  if (!/^https?:\/\//i.test(text)) {
    // Hides the part before the colon: it may be a key.
    const scheme = /^(ftp|file|wss?|tcp|unix):\/\//i.exec(text)?.[1]
    const what =
      scheme === undefined
        ? 'this is not a URL: it does not begin with https:// or http://'
        : `the scheme ${scheme} is neither https nor http`
    return { what, help: form }
  }
  if (/[\s\\]/.test(text) || !isUrl(text))
    return {
      what: 'this is not a valid URL: host or port is malformed',
      help: `${form}; names and keys have no / ? # @ or white space in them`,
    }
  return undefined
}

/** As URL.canParse, which Node has from 18.17 on only. */
function isUrl(text: string): boolean {
  try {
    return new URL(text).host !== ''
  } catch {
    return false
  }
}

/** @param userinfo as written: the text before the `@` */
function credentialProblems(userinfo: string | undefined): ProbeProblem[] {
  if (userinfo === undefined || userinfo === '' || userinfo === ':')
    return [{ what: 'it has no name and key', help: form }]
  if (userinfo.includes('%'))
    return [
      {
        what: 'name or key has percent-escapes, which versions of axios read differently',
        help: 'write them without escapes: names and keys of pinwarden need none',
      },
    ]
  const [name = '', ...rest] = userinfo.split(':')
  const key = rest.join(':')
  if (key === '') {
    // One part alone: which one it is, its form tells.
    const isKey = keyForm(name) !== 'malformed' || name.startsWith('pw_')
    const what = isKey
      ? 'it has a key but no name: axios would send the key as the name'
      : 'it has a name but no key'
    return [{ what, help: form }]
  }
  if (name === '')
    return [{ what: 'it has a key but no name: axios 1.7.7 would send neither', help: form }]
  if (keyForm(name) !== 'malformed') return [{ what: 'name and key are swapped', help: form }]
  return [...nameProblems(name), ...keyProblems(key)]
}

function nameProblems(name: string): ProbeProblem[] {
  if (new RegExp(namePattern).test(name)) return []
  return [
    {
      what: 'the part before the colon cannot be the name of an encoder',
      help: 'a name is 1 to 63 of a-z 0-9 . _ - (no capitals), a letter or digit first',
    },
  ]
}

function keyProblems(key: string): ProbeProblem[] {
  const found = keyForm(key)
  if (found === 'well-formed') return []
  if (found === 'mistyped')
    return [
      {
        what: 'the key has a typo: its last six characters, a checksum, do not fit the rest',
        help: 'copy it again from where it was printed; if lost, ask the operator for a new one',
      },
    ]
  const length = key.length === keyLength ? '' : `; this has ${key.length} characters`
  return [
    {
      what: `the key is incomplete, or not a pinwarden key${length}`,
      help: `a key is pw_ and 49 of A-Z a-z 0-9, ${keyLength} characters in all: copy it again`,
    },
  ]
}

const keyLength = 52

function tailProblems(text: string): ProbeProblem[] {
  const found = /[?#]/.exec(text)?.[0]
  if (found === undefined) return []
  const what = found === '?' ? 'a query (?…)' : 'a fragment (#…)'
  return [
    {
      what: `it has ${what}, and the encoder would append /id and /pins/… to that`,
      help: 'end the value with the port',
    },
  ]
}

function notesOf(path: string, isSafe: boolean): string[] {
  const notes: string[] = []
  if (!isSafe) notes.push('plain http sends the key unencrypted: anyone on the path can read it')
  if (/^\/+$/.test(path)) notes.push('the trailing slash is harmless, but not needed')
  else if (path !== '')
    notes.push(`it has a path: the encoder appends to it, and requests ${path}/id`)
  return notes
}
