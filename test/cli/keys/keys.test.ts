/** The keys of encoders after they were made: seen, and taken away. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { settingsFrom } from '../../../src/settings/load.js'
import { pinwarden } from '../../support/pinwarden.js'

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

t.test('keys list shows every key and its state, and never a hash', async (t) => {
  const { code, stdout } = await pinwarden('keys', 'list', '--config', fileOf(t))
  t.equal(code, 0)
  t.match(stdout, /^ENCODER +ID +STATE/)
  t.match(stdout, /^alpha +one +live +- +never +\? +old$/m)
  t.match(stdout, /^alpha +two +expired +- +2020-01-01T00:00:00Z +\?$/m)
  t.match(stdout, /^beta +b +disabled/m)
  t.notMatch(stdout, digestOf(first).slice(0, 16))
})

t.test('keys list --json gives the same as an array, for one encoder if asked', async (t) => {
  const path = fileOf(t)
  const { stdout } = await pinwarden('keys', 'list', 'alpha', '--json', '--config', path)
  t.same(JSON.parse(stdout), [
    {
      ...{ encoder: 'alpha', id: 'one', state: 'live', created: null },
      ...{ expires: null, lastUsed: null, note: 'old' },
    },
    {
      ...{ encoder: 'alpha', id: 'two', state: 'expired', created: null },
      ...{ expires: '2020-01-01T00:00:00Z', lastUsed: null, note: null },
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

const dayMs = 86_400_000

t.test('keys rotate makes a new key, and gives the old one a last day', async (t) => {
  const path = fileOf(t)
  const { code, stdout } = await pinwarden('keys', 'rotate', 'alpha', '-c', path)
  t.equal(code, 0)
  const secret = /alpha:(pw_\w+)@/.exec(stdout)?.[1] ?? ''
  t.match(stdout, /^# Key [0-9a-f]{8} of encoder alpha, in place of one, without expiry\.$/m)
  const { snapshot } = settingsFrom(readFileSync(path, 'utf8'), '.')
  const [old, other, added] = snapshot.config.encoders.alpha?.keys ?? []
  const left = Date.parse(old?.expires ?? '') - Date.now()
  t.ok(left > 6.9 * dayMs && left <= 7 * dayMs, 'a week is the usual grace')
  t.match(stdout, `# The old one is good until ${old?.expires ?? ''}: `)
  t.match(old, { id: 'one', note: 'old', sha256: digestOf(first) })
  t.match(other, { id: 'two', expires: '2020-01-01T00:00:00Z' }, 'others are as they were')
  t.match(added, { note: 'old', sha256: digestOf(secret) }, 'the note goes on')
  t.match(snapshot.keyring.find(secret), { encoder: { name: 'alpha' } })
})

t.test('the grace of a rotation never makes a key live longer than it would', async (t) => {
  const path = fileOf(t)
  const expires = new Date(Date.now() + dayMs).toISOString()
  writeFileSync(path, text.replace('"note": "old"', `"expires": "${expires}"`))
  const short = ['--grace', '2w', '--note', 'new', '--expires', '90d']
  const { code, stdout } = await pinwarden('keys', 'rotate', 'alpha', 'one', '-c', path, ...short)
  t.equal(code, 0)
  t.match(stdout, `good until ${expires}`)
  const [old, , added] = settingsFrom(readFileSync(path, 'utf8'), '.').snapshot.config.encoders
    .alpha?.keys ?? [undefined, undefined, undefined]
  t.equal(old?.expires, expires)
  t.equal(added?.note, 'new')
  t.type(added?.expires, 'string')
})

t.test('a grace of 0 ends the old key at once', async (t) => {
  const path = fileOf(t)
  t.match(await pinwarden('keys', 'rotate', 'alpha', '-c', path, '--grace', '0'), { code: 0 })
  const { stdout } = await pinwarden('keys', 'list', 'alpha', '-c', path)
  t.match(stdout, /^alpha +one +expired/m)
  t.match(stdout, /^alpha +[0-9a-f]{8} +live/m)
})

t.test('keys rotate asks which key, where that is not clear, and writes nothing', async (t) => {
  const path = fileOf(t)
  const both = text.replace(', "expires": "2020-01-01T00:00:00Z"', '')
  const cases: readonly (readonly [
    config: string,
    args: string[],
    code: number,
    stderr: RegExp,
  ])[] = [
    [both, ['alpha'], 1, /alpha has 2 live keys\nhint: name the old one: one, two\n/],
    [text, ['alpha', 'three'], 1, /alpha has no key three\nhint: pinwarden keys add alpha/],
    [text, ['gamma'], 1, /gamma has no live key/],
    [text, ['alpha', '--grace', 'soon'], 2, /--grace soon is no time\nhint: /],
    [text, ['alpha', '--expires', 'soon'], 2, /--expires soon is no time/],
  ]
  for (const [config, args, expected, message] of cases) {
    writeFileSync(path, config)
    const { code, stdout, stderr } = await pinwarden('keys', 'rotate', ...args, '-c', path)
    t.equal(code, expected)
    t.equal(stdout, '')
    t.match(stderr, message)
    t.equal(readFileSync(path, 'utf8'), config)
  }
})

t.test('schema prints what config.schema.json holds', async (t) => {
  const file = new URL('../../../../config.schema.json', import.meta.url)
  t.equal((await pinwarden('schema')).stdout, readFileSync(file, 'utf8'))
})
