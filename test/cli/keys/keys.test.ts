/** The keys of encoders after their creation: listed, rotated and revoked. */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { settingsFrom } from '../../../src/settings/load.js'
import { certificate } from '../../support/certificate.js'
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

t.test('keys revoke removes one key and leaves the rest unchanged', async (t) => {
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

t.test('an unknown key or encoder is reported, and nothing is written', async (t) => {
  const path = fileOf(t)
  for (const [encoder, id] of [
    ['alpha', 'three'],
    ['gamma', 'one'],
  ] as const) {
    const { code, stderr } = await pinwarden('keys', 'revoke', encoder, id, '--config', path)
    t.equal(code, 1)
    const isKnown = encoder === 'alpha'
    const problem = isKnown ? `${encoder} has no key ${id}` : `there is no encoder ${encoder}`
    t.match(
      stderr,
      `pinwarden: error: ${problem}\nhint: pinwarden ${isKnown ? 'keys' : 'encoders'} list`,
    )
  }
  t.equal(readFileSync(path, 'utf8'), text)
})

const dayMs = 86_400_000

t.test('keys rotate makes a new key, and lets the old one expire', async (t) => {
  const path = fileOf(t)
  const { code, stdout } = await pinwarden('keys', 'rotate', 'alpha', '-c', path)
  t.equal(code, 0)
  const secret = /alpha:(pw_\w+)@/.exec(stdout)?.[1] ?? ''
  t.match(stdout, /^# Key [0-9a-f]{8} of encoder alpha, in place of one, without expiry\.$/m)
  const { snapshot } = settingsFrom(readFileSync(path, 'utf8'), '.')
  const [old, added] = snapshot.config.encoders.alpha?.keys ?? []
  const left = Date.parse(old?.expires ?? '') - Date.now()
  t.ok(left > 6.9 * dayMs && left <= 7 * dayMs, 'a week is the usual grace')
  t.match(stdout, `# The old one is valid until ${old?.expires ?? ''}: `)
  t.match(old, { id: 'one', note: 'old', sha256: digestOf(first) })
  t.match(stdout, '# An expired key was cleared.')
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
  t.match(stdout, `valid until ${expires}`)
  const { encoders } = settingsFrom(readFileSync(path, 'utf8'), '.').snapshot.config
  const [old, added] = encoders.alpha?.keys ?? []
  t.equal(old?.expires, expires)
  t.equal(added?.note, 'new')
  t.type(added?.expires, 'string')
})

t.test('a grace period of 0 ends the old key immediately', async (t) => {
  const path = fileOf(t)
  t.match(await pinwarden('keys', 'rotate', 'alpha', '-c', path, '--grace', '0'), { code: 0 })
  const { stdout } = await pinwarden('keys', 'list', 'alpha', '-c', path)
  t.match(stdout, /^alpha +one +expired/m)
  t.match(stdout, /^alpha +[0-9a-f]{8} +live/m)
})

t.test('if several keys are live, keys rotate asks which one, and writes nothing', async (t) => {
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
    [text, ['gamma'], 1, /there is no encoder gamma\nhint: pinwarden encoders list/],
    [text, ['alpha', '--grace', 'soon'], 2, /--grace soon is not a time span\nhint: /],
    [text, ['alpha', '--expires', 'soon'], 2, /--expires soon is not a time/],
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

t.test('keys add --if-missing makes a key once', async (t) => {
  const path = fileOf(t)
  const add = (...args: string[]) =>
    pinwarden('keys', 'add', 'gamma', '--if-missing', '--json', ...args, '-c', path)
  const first = JSON.parse((await add('--role', 'reader')).stdout) as { keyId: string; key: string }
  t.match(first, { changed: true, encoder: 'gamma', key: /^pw_/, endpoint: /gamma:pw_/ })
  const after = readFileSync(path, 'utf8')
  const again = await add('--role', 'reader')
  t.equal(again.code, 0)
  t.same(JSON.parse(again.stdout), { changed: false, encoder: 'gamma', keyId: first.keyId })
  t.equal(readFileSync(path, 'utf8'), after)
  // An expired key is useless; a note asks for a key of its own.
  t.match(JSON.parse((await add('--note', 'backup')).stdout), { changed: true })
  t.match(JSON.parse((await add('--note', 'backup')).stdout), { changed: false })
})

t.test("a name that is very similar to another encoder's is questioned", async (t) => {
  const path = fileOf(t)
  const before = readFileSync(path, 'utf8')
  for (const typo of ['alhpa', 'alpa', 'alphas']) {
    const { code, stderr } = await pinwarden('keys', 'add', typo, '-c', path)
    t.equal(code, 2)
    t.match(stderr, new RegExp(`no encoder ${typo}; did you mean alpha\\?\\nhint: .*--new`))
  }
  t.equal(readFileSync(path, 'utf8'), before)
  const { code, stderr } = await pinwarden('keys', 'add', 'alphas', '--new', '-c', path)
  t.equal(code, 0)
  t.match(stderr, 'new encoder alphas, with the role pinner')
  t.equal((await pinwarden('keys', 'add', 'host-1', '-c', path)).code, 0)
  t.equal((await pinwarden('keys', 'add', 'host-12', '-c', path)).code, 0, 'a number is meant')
})

t.test('adding a key clears keys that expired long ago, or that take up room', async (t) => {
  const path = fileOf(t)
  const yesterday = new Date(Date.now() - dayMs).toISOString()
  const expired = Array.from({ length: 14 }, (_, index) => ({
    ...{ id: `k${index}`, sha256: String(index).padStart(64, '0'), expires: yesterday },
  }))
  const old = { id: 'old', sha256: 'f'.repeat(64), expires: '2020-01-01T00:00:00Z' }
  const live = { id: 'live', sha256: 'e'.repeat(64) }
  const keys = [...expired, old, live]
  writeFileSync(path, JSON.stringify({ encoders: { alpha: { keys } } }))
  const idsAfter = async (...command: string[]) => {
    const { code, stderr } = await pinwarden('keys', ...command, '-c', path)
    t.equal(code, 0, stderr)
    const { stdout } = await pinwarden('keys', 'list', 'alpha', '--json', '-c', path)
    return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id)
  }
  const first = await idsAfter('rotate', 'alpha')
  t.equal(first.length, 16)
  t.notOk(first.includes('old'))
  const second = await idsAfter('add', 'alpha')
  t.equal(second.length, 16)
  t.notOk(second.includes('k0'))
  t.ok(second.includes('k1') && second.includes('live'), 'no more than must go')
})

t.test('the address that encoders use is a setting', async (t) => {
  const path = fileOf(t)
  const url = 'https://pins.example.org:9443'
  const listen = `"listen": { "publicUrl": "${url}" },`
  writeFileSync(path, text.replace('"listen": { "port":   9098 },', listen))
  for (const command of [
    ['add', 'alpha'],
    ['rotate', 'alpha', 'one'],
  ]) {
    const { stdout, stderr } = await pinwarden('keys', ...command, '-c', path)
    t.match(stdout.replace(/alpha:pw_\w+@/, ''), `\nIPFS_CLUSTER_ENDPOINT=${url}\n`)
    t.equal(stderr, '')
  }
  const warnings = (fields: object) =>
    settingsFrom(JSON.stringify({ listen: fields, encoders: { a: { enabled: false } } }), '/')
      .warnings
  t.match(warnings({ publicUrl: url }), [/publicUrl: it says https/])
  t.same(warnings({ publicUrl: url, trustProxy: ['127.0.0.1'] }), [])
  const files = t.testdir({ c: certificate.cert, k: certificate.key })
  const tls = { certFile: join(files, 'c'), keyFile: join(files, 'k') }
  const ofUrl = (publicUrl: string) =>
    warnings({ publicUrl, tls }).filter((warning) => warning.includes('publicUrl'))
  t.same(ofUrl('https://localhost:9098'), [])
  t.match(ofUrl('http://localhost:9098'), [/it says http,/])
  t.match(ofUrl(url), [/the certificate is not for pins\.example\.org/])
})

t.test('a change that is already in effect is reported, and nothing is written', async (t) => {
  const path = fileOf(t)
  const { ino } = statSync(path)
  for (const [command, name] of [
    ['enable', 'alpha'],
    ['disable', 'beta'],
  ] as const) {
    const { code, stdout } = await pinwarden('encoders', command, name, '-c', path)
    t.equal(code, 0)
    t.match(stdout, /already .*: nothing was changed/)
  }
  t.equal(statSync(path).ino, ino)
  t.match(await pinwarden('keys', 'list', 'nobody', '-c', path), { code: 1, stderr: /no encoder/ })
})

t.test('the playbook of the documentation changes nothing the second time', async (t) => {
  const page = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8')
  const commands = [...page.matchAll(/^ +cmd: pinwarden (.*)$/gm)].map(([, words = '']) => words)
  t.equal(commands.length, 3)
  const path = join(t.testdir({}), 'config.json')
  writeFileSync(path, '{ "listen": { "port": 0 } }\n', { mode: 0o640 })
  const play = async () => {
    const said: string[] = []
    for (const command of commands)
      for (const name of command.includes('{{') ? ['encoder-1', 'encoder-2'] : [''])
        said.push(
          (await pinwarden(...command.replace('{{ item }}', name).split(' '), '-c', path)).stdout,
        )
    return said
  }
  t.match(await play(), [/"changed":true/, /"changed":true/, /^disabled/, /"ok": true/])
  const after = readFileSync(path, 'utf8')
  const again = await play()
  t.match(again, [/"changed":false/, /"changed":/, /nothing was changed/, /"ok": true/])
  t.equal(readFileSync(path, 'utf8'), after)
})
