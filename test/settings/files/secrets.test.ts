/** Secrets in files: the password for the cluster, the certificate and its key. */
import { X509Certificate } from 'node:crypto'
import { chmodSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import t, { type Test } from 'tap'
import { settingsFrom } from '../../../src/settings/load.js'
import { ConfigError } from '../../../src/settings/problems.js'
import { readSecrets } from '../../../src/settings/files/secrets.js'
import { certificate } from '../../support/certificate.js'

const withPassword = JSON.stringify({
  cluster: {
    endpoints: [{ url: 'http://127.0.0.1:9094', username: 'u', passwordFile: 'password' }],
  },
  encoders: { alpha: { enabled: false } },
})
const withTls = JSON.stringify({
  listen: { host: '0.0.0.0', tls: { certFile: 'cert.pem', keyFile: 'key.pem' } },
  encoders: { alpha: { enabled: false } },
})

function dirOf(t: Test, files: Record<string, string | Buffer>): string {
  const dir = t.testdir(files)
  for (const file of readdirSync(dir)) chmodSync(join(dir, file), 0o600)
  return dir
}

function problemIn(text: string, dir: string) {
  try {
    settingsFrom(text, dir)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems[0]
    throw error
  }
  return undefined
}

t.test(
  'a password is read from its file, next to the configuration, without its line end',
  async (t) => {
    for (const content of ['s3cret', 's3cret\n', 's3cret\r\n', '\uFEFFs3cret\r\n']) {
      const { snapshot, warnings } = settingsFrom(withPassword, dirOf(t, { password: content }))
      t.same(snapshot.endpointSecrets, [{ password: 's3cret', ca: undefined }])
      t.same(warnings, [])
    }
  },
)

t.test('a bad password file is a problem that shows nothing of it', async (t) => {
  const path = 'cluster.endpoints[0].passwordFile'
  const cases = [
    [{}, 'no such file (ENOENT)'],
    [{ password: '' }, 'an empty file'],
    [{ password: '\n' }, 'an empty file'],
    [{ password: '\uFEFF\n' }, 'an empty file'],
    [{ password: Buffer.from('gr\xfcn', 'latin1') }, 'bytes that are not UTF-8'],
    [{ password: Buffer.from('\uFEFFs3cret', 'utf16le') }, 'bytes that are not UTF-8'],
    [{ password: 'two\nlines\n' }, 'several lines, NUL, or a very long line'],
    [{ password: 'x'.repeat(2000) }, 'several lines, NUL, or a very long line'],
    [{ password: 'x'.repeat(2_000_000) }, 'no regular file, or a very large one'],
  ] as const
  for (const [files, found] of cases)
    t.match(problemIn(withPassword, dirOf(t, files)), { path, found }, found)
})

t.test('certificate and key are read and found to match', async (t) => {
  const dir = dirOf(t, { 'cert.pem': certificate.cert, 'key.pem': certificate.key })
  const { tls, snapshot, warnings } = settingsFrom(withTls, dir)
  t.same(tls, { ...certificate, minVersion: 'TLSv1.2' })
  t.same(warnings, [])
  t.equal(snapshot.config.listen.tls?.keyFile, join(dir, 'key.pem'), 'paths are absolute')
})

t.test(
  'a certificate, key or authority may begin with a byte order mark, as all text',
  async (t) => {
    const { cert, key } = certificate
    const [ownCert, ownKey] = [`\uFEFF${cert}`, `\uFEFF${key.replaceAll('\n', '\r\n')}`]
    const dir = dirOf(t, { 'cert.pem': ownCert, 'key.pem': ownKey, 'ca.pem': ownCert })
    const { tls } = settingsFrom(withTls, dir)
    createSecureContext({ cert: tls?.cert, key: tls?.key })
    t.equal(tls?.cert, cert)
    const store = { redis: 'rediss://127.0.0.1:6379', caFile: 'ca.pem' }
    const endpoints = [{ url: 'https://127.0.0.1:9094', caFile: 'ca.pem' }]
    const config = { store, cluster: { endpoints } }
    const { snapshot } = settingsFrom(JSON.stringify(config), dir)
    t.equal(snapshot.storeSecrets.ca, cert)
    t.equal(snapshot.endpointSecrets[0]?.ca, cert)
  },
)

t.test('an authority of which one certificate is broken is a problem', async (t) => {
  const endpoints = [{ url: 'https://127.0.0.1:9094', caFile: 'ca.pem' }]
  const text = JSON.stringify({ cluster: { endpoints } })
  const broken = certificate.cert.replace('MIIB', 'AAAA')
  const cases = [
    [certificate.cert + broken, 'a certificate that cannot be read'],
    [certificate.cert + certificate.cert.slice(0, 300), 'a certificate that cannot be read'],
    [certificate.key, 'no certificate'],
  ] as const
  for (const [content, found] of cases)
    t.match(problemIn(text, dirOf(t, { 'ca.pem': content })), { found }, found)
})

t.test('a world-readable secret causes a warning', async (t) => {
  const dir = dirOf(t, { password: 's3cret' })
  chmodSync(join(dir, 'password'), 0o644)
  t.match(settingsFrom(withPassword, dir).warnings, [/passwordFile: .*readable by everybody/])
})

t.test('a certificate that has expired, or soon will, causes a warning', async (t) => {
  const dir = dirOf(t, { 'cert.pem': certificate.cert, 'key.pem': certificate.key })
  const { config } = settingsFrom(withTls, dir).snapshot
  const end = Date.parse(new X509Certificate(certificate.cert).validTo)
  const dayMs = 86_400_000
  const warnings = (now: number) => readSecrets(config, dir, now).warnings
  const expires = 'listen.tls.certFile: the certificate expires in'
  const expired = 'listen.tls.certFile: the certificate has expired on'
  t.same(warnings(end - 15.5 * dayMs), [])
  t.same(warnings(end - 14.5 * dayMs), [`${expires} 14 days`])
  t.same(warnings(end - 1.5 * dayMs), [`${expires} 1 day`])
  t.same(warnings(end - 0.5 * dayMs), [`${expires} 12 hours`])
  t.same(warnings(end + 1), [`${expired} ${new Date(end).toISOString().slice(0, 10)}`])
})
