/** Reads the secrets that the configuration names as files: TLS key and cluster passwords. */
import { X509Certificate } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { expiryWarning } from './certificate.js'
import { pathText, type Problem, type Segment } from './problems.js'
import type { Config } from './schema.js'

/** What the listener needs for TLS, read and found to match. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

/** What the files that an endpoint of the cluster names hold. */
export interface EndpointSecrets {
  readonly password?: string | undefined
  /** Certificates in PEM that its own is checked with. */
  readonly ca?: string | undefined
}

/** What the files that the store names hold. */
export type StoreSecrets = EndpointSecrets

export interface Secrets {
  readonly tls: TlsMaterial | undefined
  /** By the index of the cluster endpoint they belong to. */
  readonly endpointSecrets: readonly EndpointSecrets[]
  readonly storeSecrets: StoreSecrets
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Paths are absolute by now; `baseDir` is for the messages. */
export function readSecrets(config: Config, baseDir: string, now: number): Secrets {
  const reader = readerIn(baseDir)
  const endpointSecrets = config.cluster.endpoints.map(({ passwordFile, caFile }, index) => {
    const path = ['cluster', 'endpoints', index]
    return {
      password: passwordFile && passwordIn(reader, passwordFile, [...path, 'passwordFile']),
      ca: caFile && authorityIn(reader, caFile, [...path, 'caFile']),
    }
  })
  const { passwordFile, caFile } = config.store
  const storeSecrets = {
    password: passwordFile && passwordIn(reader, passwordFile, ['store', 'passwordFile']),
    ca: caFile && authorityIn(reader, caFile, ['store', 'caFile']),
  }
  const tls = tlsIn(reader, baseDir, config.listen.tls, now)
  return {
    tls,
    endpointSecrets,
    storeSecrets,
    problems: reader.problems,
    warnings: reader.warnings,
  }
}

type Reader = ReturnType<typeof readerIn>

const bytesMax = 1_048_576

/** Collects what goes wrong. Contents and paths stay out of it: a path may be a pasted secret. */
function readerIn(baseDir: string) {
  const problems: Problem[] = []
  const warnings: string[] = []
  const report = (segments: readonly Segment[], found: string, expected: string) => {
    problems.push({ path: pathText(segments), found, expected })
  }
  const read = (file: string, segments: readonly Segment[], secret: boolean) => {
    const expected = `a readable file; relative paths start at ${baseDir}`
    try {
      const { text, mode } = contentOf(file)
      if (secret && (mode & 0o004) !== 0)
        warnings.push(`${pathText(segments)}: the file is readable by everybody`)
      if (text !== undefined) return text
      report(segments, 'no regular file, or a very large one', expected)
    } catch (error) {
      const { code = 'an error' } = error as NodeJS.ErrnoException
      report(segments, code === 'ENOENT' ? 'no such file (ENOENT)' : code, expected)
    }
    return undefined
  }
  return { problems, warnings, report, read }
}

/** Without a text if it is no regular file: opened so that even a pipe holds nobody up. */
function contentOf(path: string): { readonly text: string | undefined; readonly mode: number } {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(file)
    const fit = stat.isFile() && stat.size <= bytesMax
    return { text: fit ? readFileSync(file, 'utf8') : undefined, mode: stat.mode }
  } finally {
    closeSync(file)
  }
}

const passwordLengthMax = 1024

function passwordIn(reader: Reader, file: string, path: readonly Segment[]): string | undefined {
  const password = reader.read(file, path, true)?.replace(/\r?\n$/, '')
  if (password === undefined) return undefined
  if (password !== '' && password.length <= passwordLengthMax && !/[\r\n\0]/.test(password))
    return password
  const found = password === '' ? 'an empty file' : 'several lines, NUL, or a very long line'
  reader.report(path, found, `the password alone, at most ${passwordLengthMax} characters`)
  return undefined
}

function authorityIn(reader: Reader, file: string, path: readonly Segment[]): string | undefined {
  const ca = reader.read(file, path, false)
  if (ca === undefined) return undefined
  try {
    new X509Certificate(ca)
    return ca
  } catch {
    reader.report(path, 'no certificate', 'one or more certificates in PEM')
    return undefined
  }
}

/** Certificate and key may be replaced between the reads of the one and of the other. */
const attempts = 5

function tlsIn(
  reader: Reader,
  baseDir: string,
  files: Config['listen']['tls'],
  now: number,
): TlsMaterial | undefined {
  if (files === undefined) return undefined
  for (let left = attempts; ; left--) {
    const own = readerIn(baseDir)
    const pair = pairIn(own, files, now)
    if (pair === undefined && left > 1) continue
    reader.problems.push(...own.problems)
    reader.warnings.push(...own.warnings)
    return pair
  }
}

function pairIn(
  reader: Reader,
  { certFile, keyFile, minVersion }: NonNullable<Config['listen']['tls']>,
  now: number,
): TlsMaterial | undefined {
  const cert = reader.read(certFile, ['listen', 'tls', 'certFile'], false)
  const key = reader.read(keyFile, ['listen', 'tls', 'keyFile'], true)
  if (cert === undefined || key === undefined) return undefined
  try {
    createSecureContext({ cert, key, minVersion })
    const warning = expiryWarning(cert, now)
    if (warning !== undefined) reader.warnings.push(warning)
    return { cert, key, minVersion }
  } catch (error) {
    const { code = 'no PEM' } = error as NodeJS.ErrnoException
    const expected = 'a certificate and the private key that belongs to it, both PEM'
    reader.report(['listen', 'tls'], `files that OpenSSL refuses (${code})`, expected)
    return undefined
  }
}
