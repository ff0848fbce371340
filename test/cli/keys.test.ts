/** The keys of encoders after they were made: seen, and taken away. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../../src/cli/cli.js'
import { digestOf, generateKey } from '../../src/settings/key.js'
import { settingsFrom } from '../../src/settings/load.js'

const [first, second] = [generateKey(), generateKey()]

const text = `{
  "listen": { "port":   9098 },
  "encoders": {
    "alpha": {
      "keys": [
        { "id": "one", "sha256": "${digestOf(first)}", "note": "old" },
        { "id": "two", "sha256": "${digestOf(second)}", "expires": "2020-01-01T00:00:00Z" }
      ]
    },
    "beta": { "enabled": false, "keys": [{ "id": "b", "sha256": "${'ab'.repeat(32)}" }] }
  }
}
`

function fileOf(t: Test): string {
  const path = join(t.testdir({}), 'config.json')
  writeFileSync(path, text, { mode: 0o640 })
  return path
}

async function pinwarden(...argv: string[]) {
  let [stdout, stderr] = ['', '']
  const io = {
    stdout: { write: (more: string) => (stdout += more) },
    stderr: { write: (more: string) => (stderr += more) },
    env: {},
  }
  return { code: await run(argv, io), stdout, stderr }
}

t.test('keys list shows every key and its state, and never a hash', async (t) => {
  const { code, stdout } = await pinwarden('keys', 'list', '--config', fileOf(t))
  t.equal(code, 0)
  t.match(stdout, /^ENCODER +ID +STATE/)
  t.match(stdout, /^alpha +one +live +- +never +old$/m)
  t.match(stdout, /^alpha +two +expired +- +2020-01-01T00:00:00Z$/m)
  t.match(stdout, /^beta +b +disabled/m)
  t.notMatch(stdout, digestOf(first).slice(0, 16))
})

t.test('keys list --json gives the same as an array, for one encoder if asked', async (t) => {
  const path = fileOf(t)
  const { stdout } = await pinwarden('keys', 'list', 'alpha', '--json', '--config', path)
  t.same(JSON.parse(stdout), [
    { encoder: 'alpha', id: 'one', state: 'live', created: null, expires: null, note: 'old' },
    {
      ...{ encoder: 'alpha', id: 'two', state: 'expired', created: null },
      ...{ expires: '2020-01-01T00:00:00Z', note: null },
    },
  ])
})

t.test('keys revoke takes one key away and leaves the rest as it was', async (t) => {
  const path = fileOf(t)
  const { code, stdout } = await pinwarden('keys', 'revoke', 'alpha', 'one', '--config', path)
  t.equal(code, 0)
  t.equal(stdout, 'revoked key one of encoder alpha; 1 left\n')
  const after = readFileSync(path, 'utf8')
  t.equal(after.slice(0, 90), text.slice(0, 90))
  t.equal(after.slice(-100), text.slice(-100))
  t.notMatch(after, digestOf(first))
  const { keyring } = settingsFrom(after, '.').snapshot
  t.equal(keyring.find(first), 'key-unknown')
  t.match(keyring.find(second), { id: 'two' })
  t.equal((await pinwarden('keys', 'revoke', 'alpha', 'two', '--config', path)).code, 0)
  t.equal(
    settingsFrom(readFileSync(path, 'utf8'), '.').snapshot.config.encoders.alpha?.keys.length,
    0,
  )
})

t.test('a key or encoder that is not there is said, and nothing is written', async (t) => {
  const path = fileOf(t)
  for (const [encoder, id] of [
    ['alpha', 'three'],
    ['gamma', 'one'],
  ] as const) {
    const { code, stderr } = await pinwarden('keys', 'revoke', encoder, id, '--config', path)
    t.equal(code, 1)
    t.match(stderr, `pinwarden: error: ${encoder} has no key ${id}`)
    t.match(stderr, /^hint: pinwarden keys list/m)
  }
  t.equal(readFileSync(path, 'utf8'), text)
})

t.test('schema prints what config.schema.json holds', async (t) => {
  const file = new URL('../../../config.schema.json', import.meta.url)
  t.equal((await pinwarden('schema')).stdout, readFileSync(file, 'utf8'))
})
