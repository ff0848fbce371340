/** Secrets in files: the password for the cluster, the certificate and its key. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { chmodSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { settingsFrom } from '../../src/settings/load.js'
import { ConfigError } from '../../src/settings/problems.js'
import { readSecrets } from '../../src/settings/secrets.js'
import { certificate } from '../support/certificate.js'

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

function dirOf(t: Test, files: Record<string, string>): string {
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
  'a password is read from its file, beside the configuration, without its line end',
  async (t) => {
    for (const content of ['s3cret', 's3cret\n', 's3cret\r\n']) {
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

t.test('a key of another certificate, and what is no PEM, are problems', async (t) => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const key = other.export({ type: 'pkcs8', format: 'pem' }).toString()
  const wrong = dirOf(t, { 'cert.pem': certificate.cert, 'key.pem': key })
  t.match(problemIn(withTls, wrong), { path: 'listen.tls', found: /KEY_VALUES_MISMATCH/ })
  const junk = dirOf(t, { 'cert.pem': 'junk', 'key.pem': 'junk' })
  t.match(problemIn(withTls, junk), { path: 'listen.tls', found: /OpenSSL refuses/ })
  const half = dirOf(t, { 'cert.pem': certificate.cert })
  t.match(problemIn(withTls, half), { path: 'listen.tls.keyFile', found: /ENOENT/ })
})

t.test('a secret that everybody may read is warned of', async (t) => {
  const dir = dirOf(t, { password: 's3cret' })
  chmodSync(join(dir, 'password'), 0o644)
  t.match(settingsFrom(withPassword, dir).warnings, [/passwordFile: .*readable by everybody/])
})

t.test('a certificate that has expired, or soon will, is warned of', async (t) => {
  const dir = dirOf(t, { 'cert.pem': certificate.cert, 'key.pem': certificate.key })
  const { config } = settingsFrom(withTls, dir).snapshot
  const end = Date.parse(new X509Certificate(certificate.cert).validTo)
  const dayMs = 86_400_000
  const warnings = (now: number) => readSecrets(config, dir, now).warnings
  const expires = 'listen.tls.certFile: the certificate expires in'
  t.same(warnings(end - 15.5 * dayMs), [])
  t.same(warnings(end - 14.5 * dayMs), [`${expires} 14 days`])
  t.same(warnings(end - 1.5 * dayMs), [`${expires} 1 day`])
  t.same(warnings(end - 0.5 * dayMs), [`${expires} 12 hours`])
  t.same(warnings(end + 1), ['listen.tls.certFile: the certificate has expired'])
})
