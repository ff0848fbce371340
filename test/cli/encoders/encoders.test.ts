/** Encoders after their creation: listed, disabled, enabled, removed. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { settingsFrom } from '../../../src/settings/load.js'
import { pinwarden } from '../../support/pinwarden.js'

const key = generateKey()

const text = `{
  "listen": { "port":   9098 },
  "encoders": {
    "alpha": {
      "role": "operator",
      "deny": ["recover-all"],
      "options": ["origins"],
      "from": ["192.0.2.0/24", "2001:db8::1"],
      "keys": [
        { "id": "one", "sha256": "${digestOf(key)}" },
        { "id": "two", "sha256": "${'cd'.repeat(32)}", "expires": "2020-01-01T00:00:00Z" }
      ]
    },
    "beta": { "enabled": false, "keys": [{ "id": "b", "sha256": "${'ab'.repeat(32)}" }] },
    "gamma": {}
  }
}
`

function fileOf(t: Test, content = text): string {
  const path = join(t.testdir({}), 'config.json')
  writeFileSync(path, content, { mode: 0o640 })
  return path
}

const encodersIn = (path: string) =>
  settingsFrom(readFileSync(path, 'utf8'), '.').snapshot.config.encoders

t.test('encoders list says who may what, from where, with how many keys', async (t) => {
  const { code, stdout } = await pinwarden('encoders', 'list', '-c', fileOf(t))
  t.equal(code, 0)
  const [header, alpha, beta, gamma] = stdout.split('\n')
  t.match(header, /^ENCODER +STATE +MAY +FROM +LIVE KEYS +LAST USED$/)
  t.match(alpha, /^alpha +enabled +operator -recover-all \+origins +192\.0\.2\.0\/24 2001:db8::1 /)
  t.match(alpha, / 1 of 2 +\?$/)
  t.match(beta, /^beta +disabled +pinner +anywhere +0 of 1 /)
  t.match(gamma, /^gamma +enabled +pinner +anywhere +0 of 0 /)
  t.notMatch(stdout, digestOf(key).slice(0, 16))
})

t.test('encoders list --json gives the same as an array', async (t) => {
  const { stdout } = await pinwarden('encoders', 'list', '--json', '-c', fileOf(t))
  const rows = JSON.parse(stdout) as readonly object[]
  t.equal(rows.length, 3)
  t.match(rows[0], {
    ...{ name: 'alpha', enabled: true, role: 'operator', deny: ['recover-all'] },
    ...{ options: ['origins'], from: ['192.0.2.0/24', '2001:db8::1'], keys: 2, liveKeys: 1 },
    lastUsed: null,
  })
})

t.test('an encoder is disabled and enabled, and the rest of the file stays', async (t) => {
  const path = fileOf(t)
  const off = await pinwarden('encoders', 'disable', 'alpha', '-c', path)
  t.match(off, {
    code: 0,
    stdout: 'disabled encoder alpha: its 2 keys refused until it is enabled',
  })
  t.equal(encodersIn(path).alpha?.enabled, false)
  const on = await pinwarden('encoders', 'enable', 'alpha', '-c', path)
  t.match(on, { code: 0, stdout: 'enabled encoder alpha\n' })
  t.equal(encodersIn(path).alpha?.enabled, true)
  const after = readFileSync(path, 'utf8')
  t.ok(after.startsWith(text.slice(0, text.indexOf('\n    },\n    "beta"') - 10)))
  t.ok(after.endsWith(text.slice(text.indexOf('    "beta"'))))

  t.match(await pinwarden('encoders', 'enable', 'beta', '-c', path), { code: 0 })
  t.match(readFileSync(path, 'utf8'), '"beta": { "enabled": true, "keys": [')
  t.match(await pinwarden('encoders', 'disable', 'gamma', '-c', path), { code: 0 })
  t.equal(encodersIn(path).gamma?.enabled, false)
})

t.test('encoders remove removes an encoder with its keys', async (t) => {
  for (const name of ['alpha', 'beta', 'gamma']) {
    const path = fileOf(t)
    const { code, stdout } = await pinwarden('encoders', 'remove', name, '-c', path)
    t.equal(code, 0)
    t.match(stdout, `removed encoder ${name} with its `)
    t.same(
      Object.keys(encodersIn(path)),
      ['alpha', 'beta', 'gamma'].filter((other) => other !== name),
    )
  }
  const path = fileOf(t)
  await pinwarden('encoders', 'remove', 'alpha', '-c', path)
  t.equal(settingsFrom(readFileSync(path, 'utf8'), '.').snapshot.keyring.find(key), 'key-unknown')
})

t.test('an unknown encoder is reported, and nothing is written', async (t) => {
  const path = fileOf(t)
  for (const change of ['enable', 'disable', 'remove'])
    for (const name of ['delta', 'constructor']) {
      const { code, stdout, stderr } = await pinwarden('encoders', change, name, '-c', path)
      t.equal(code, 1)
      t.equal(stdout, '')
      t.match(
        stderr,
        `pinwarden: error: there is no encoder ${name}\nhint: pinwarden encoders list`,
      )
    }
  t.equal(readFileSync(path, 'utf8'), text)
})

t.test('a file that is not valid is not changed', async (t) => {
  const broken = text.replace('"role": "operator"', '"role": "boss"')
  const path = fileOf(t, broken)
  for (const change of ['enable', 'disable', 'remove'])
    t.match(await pinwarden('encoders', change, 'alpha', '-c', path), {
      code: 1,
      stderr: /encoders\.alpha\.role: "boss"/,
    })
  t.equal(readFileSync(path, 'utf8'), broken)
})
