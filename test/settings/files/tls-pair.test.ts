/** The certificate and the key of the public port match, or a problem says why not. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { settingsFrom } from '../../../src/settings/load.js'
import { ConfigError } from '../../../src/settings/problems.js'
import { certificate, otherCertificate, rsaCertificate } from '../../support/certificate.js'
import { pinwarden } from '../../support/pinwarden.js'

const config = JSON.stringify({
  listen: { host: '0.0.0.0', tls: { certFile: 'self.pem', keyFile: 'other.key' } },
  encoders: { alpha: { enabled: false } },
})

/** Each problem in one line. */
function problemsOf(t: Test, cert: string, key: string): string[] {
  const directory = t.testdir({ 'self.pem': cert, 'other.key': key })
  chmodSync(join(directory, 'other.key'), 0o600)
  try {
    settingsFrom(config, directory)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const pem = (key: KeyObject, passphrase?: string): string =>
  key
    .export({
      ...{ type: 'pkcs8', format: 'pem' },
      ...(passphrase !== undefined && { cipher: 'aes-256-cbc', passphrase }),
    })
    .toString()

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const { cert, key } = certificate

const stranger = [
  'listen.tls.keyFile: a key in other.key that does not belong to the certificate in ' +
    'self.pem; use the private key of that certificate',
]
const noCert = (found: string) => [
  `listen.tls.certFile: ${found}; use a certificate in PEM, then those that signed it`,
]
const noKey = (found: string) => [`listen.tls.keyFile: ${found}; use a private key in PEM`]
const secret = [
  'listen.tls.keyFile: a key in other.key that has a passphrase; ' +
    'use a key without one: openssl pkey -in OLD -out NEW',
]
const useless = (kind: string) => [
  `listen.tls.keyFile: a key in other.key that clients cannot use (${kind}); ` +
    'use RSA, P-256, P-384, P-521, Ed25519 or Ed448',
]

const cases: Readonly<Record<string, readonly [cert: string, key: string, problems: string[]]>> = {
  'a pair': [cert, key, []],
  'a pair of RSA': [rsaCertificate.cert, rsaCertificate.key, []],
  'a key in the form of its type': [rsaCertificate.cert, pkcs1(rsaCertificate.key), []],
  'both in both files': [key + cert, cert + key, []],
  'a chain': [`# the leaf\n${cert}\n# its issuer\n${otherCertificate.cert}`, key, []],
  'another key of the same type': [cert, pem(p256.privateKey), stranger],
  'a certificate of RSA and a key of EC': [rsaCertificate.cert, key, stranger],
  'a certificate of EC and a key of RSA': [cert, pem(rsa.privateKey), stranger],
  'a key of Ed25519': [cert, pem(generateKeyPairSync('ed25519').privateKey), stranger],
  'the key of the second certificate': [
    otherCertificate.cert + cert,
    key,
    [
      'listen.tls.certFile: the certificate of the key as number 2 in self.pem; ' +
        'use it first, then those that signed it',
    ],
  ],
  'the files in place of each other': [
    key,
    cert,
    [
      ...noCert('a private key in self.pem, and no certificate'),
      ...noKey('a certificate in other.key, and no private key'),
    ],
  ],
  'a public key': [
    cert,
    p256.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    noKey('a public key in other.key, and no private one'),
  ],
  'no PEM': [
    'junk',
    '',
    [...noCert('no certificate in self.pem'), ...noKey('no private key in other.key')],
  ],
  'a broken key': [
    cert,
    key.replace('MIGH', 'AAAA'),
    noKey('a private key in other.key that cannot be read'),
  ],
  'a broken link of the chain': [
    cert + otherCertificate.cert.slice(0, 200),
    key,
    noCert('a certificate in self.pem that cannot be read'),
  ],
  'a key with a passphrase': [cert, pem(p256.privateKey, 'open'), secret],
  'such a one in the old form': [
    cert,
    rsa.privateKey
      .export({ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' })
      .toString(),
    secret,
  ],
  'a curve that TLS does not have': [
    cert,
    pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey),
    useless('ec secp256k1'),
  ],
  'a key that is not for signing': [
    cert,
    pem(generateKeyPairSync('x25519').privateKey),
    useless('x25519'),
  ],
}
for (const [name, [cert, key, problems]] of Object.entries(cases))
  t.test(`${problems.length === 0 ? 'good' : 'bad'}: ${name}`, async (t) => {
    t.same(problemsOf(t, cert, key), problems)
  })

t.test('check reports a pair that does not match', async (t) => {
  const files = { 'self.pem': rsaCertificate.cert, 'other.key': key, 'config.json': config }
  const { code, stderr } = await pinwarden('check', '-c', join(t.testdir(files), 'config.json'))
  t.equal(code, 1)
  t.match(stderr, 'a key in other.key that does not belong to the certificate in self.pem')
})

function pkcs1(pem: string): string {
  return createPrivateKey(pem).export({ type: 'pkcs1', format: 'pem' }).toString()
}
