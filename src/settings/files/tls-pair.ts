/** Reads the certificate and the key of the public port, and checks that they belong together. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { basename } from 'node:path'
import { createSecureContext } from 'node:tls'
import { certificateWarnings } from './certificate.js'
import { type NamedFiles, namedFilesIn, pemText } from './named-files.js'
import type { Config } from '../schema/schema.js'

/** A matching certificate and key for the listener. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

type TlsConfig = NonNullable<Config['listen']['tls']>

/** Tries of a pair, as certificate and key may be replaced between the two reads. */
const attempts = 5

export function readTls(
  files: NamedFiles,
  baseDir: string,
  tls: TlsConfig | undefined,
  now: number,
): TlsMaterial | undefined {
  if (tls === undefined) return undefined
  for (let left = attempts; ; left--) {
    const own = namedFilesIn(baseDir)
    const pair = pairIn(own, tls, now)
    if (pair === undefined && left > 1) continue
    files.problems.push(...own.problems)
    files.warnings.push(...own.warnings)
    for (const [field, digest] of own.digests) files.digests.set(field, digest)
    return pair
  }
}

const certField = ['listen', 'tls', 'certFile']
const keyField = ['listen', 'tls', 'keyFile']

function pairIn(files: NamedFiles, tls: TlsConfig, now: number): TlsMaterial | undefined {
  const { certFile, keyFile, minVersion } = tls
  const certBytes = files.read(certFile, certField, false)
  const keyBytes = files.read(keyFile, keyField, true)
  if (certBytes === undefined || keyBytes === undefined) return undefined
  const [cert, key] = [pemText(certBytes), pemText(keyBytes)]
  const chain = chainIn(files, cert, certFile)
  const own = keyIn(files, key, keyFile)
  if (chain === undefined || own === undefined) return undefined
  if (!belongTogether(files, chain, own, tls)) return undefined
  try {
    createSecureContext({ cert, key, minVersion })
  } catch (error) {
    const { code = 'an error' } = error as NodeJS.ErrnoException
    const found = `a pair in ${nameOf(certFile)} and ${nameOf(keyFile)} that OpenSSL refuses`
    const isShort = code.endsWith('KEY_TOO_SMALL')
    const expected = isShort ? 'a longer key: RSA of 2048 bits, or P-256' : 'another pair'
    files.report(['listen', 'tls'], `${found} (${code})`, expected)
    return undefined
  }
  files.warnings.push(...certificateWarnings(chain, now))
  return { cert, key, minVersion }
}

/** The certificates of a file, in its order; the gate shows the first to clients. */
function chainIn(files: NamedFiles, pem: string, file: string): X509Certificate[] | undefined {
  const chain = certificatesIn(pem)
  if (chain !== undefined && chain.length > 0) return chain
  const name = nameOf(file)
  const found =
    chain === undefined
      ? `a certificate in ${name} that cannot be read`
      : privateKey.test(pem)
        ? `a private key in ${name}, and no certificate`
        : `no certificate in ${name}`
  files.report(certField, found, 'a certificate in PEM, then those that signed it')
  return undefined
}

/** @returns undefined: one of them is broken */
export function certificatesIn(pem: string): X509Certificate[] | undefined {
  try {
    return (pem.match(certificates) ?? []).map((block) => new X509Certificate(block))
  } catch {
    return undefined
  }
}

const certificates = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*(?:-----END [^-]*-----)?/g

const privateKey = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/

function keyIn(files: NamedFiles, pem: string, file: string): KeyObject | undefined {
  const name = nameOf(file)
  let key
  try {
    key = createPrivateKey(pem)
  } catch {
    const expected = hasPassphrase.test(pem) ? withoutPassphrase : 'a private key in PEM'
    files.report(keyField, foundAsKey(pem, name), expected)
    return undefined
  }
  if (isForTls(key)) return key
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const kind = [type, details?.namedCurve].filter((word) => word !== undefined).join(' ')
  files.report(keyField, `a key in ${name} that clients cannot use (${kind})`, usableKeys)
  return undefined
}

function foundAsKey(pem: string, name: string): string {
  if (hasPassphrase.test(pem)) return `a key in ${name} that has a passphrase`
  if (privateKey.test(pem)) return `a private key in ${name} that cannot be read`
  if (certificate.test(pem)) return `a certificate in ${name}, and no private key`
  if (publicKey.test(pem)) return `a public key in ${name}, and no private one`
  return `no private key in ${name}`
}

const hasPassphrase = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m
const certificate = /-----BEGIN (?:[A-Z0-9]+ )*CERTIFICATE-----/
const publicKey = /-----BEGIN (?:[A-Z]+ )*PUBLIC KEY-----/

const withoutPassphrase = 'a key without one: openssl pkey -in OLD -out NEW'
const usableKeys = 'RSA, P-256, P-384, P-521, Ed25519 or Ed448'

/** OpenSSL accepts other types, and then every handshake fails. */
function isForTls({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  if (type === 'ec') return curves.has(details?.namedCurve ?? '')
  return type === 'rsa' || type === 'rsa-pss' || type === 'ed25519' || type === 'ed448'
}

const curves = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

/** OpenSSL compares only keys of one type, and accepts any two of different types. */
function belongTogether(
  files: NamedFiles,
  chain: readonly X509Certificate[],
  key: KeyObject,
  { certFile, keyFile }: TlsConfig,
): boolean {
  const at = chain.findIndex((certificate) => certificate.checkPrivateKey(key))
  if (at === 0) return true
  const [cert, own] = [nameOf(certFile), nameOf(keyFile)]
  if (at > 0) {
    const found = `the certificate of the key as number ${at + 1} in ${cert}`
    files.report(certField, found, 'it first, then those that signed it')
  } else {
    const found = `a key in ${own} that does not belong to the certificate in ${cert}`
    files.report(keyField, found, 'the private key of that certificate')
  }
  return false
}

/** The file exists, so its name is not a pasted secret; messages omit long and odd names. */
function nameOf(file: string): string {
  const name = basename(file)
  return /^[\w.@+-]{1,64}$/.test(name) ? name : 'the file'
}
