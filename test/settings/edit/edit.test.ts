/** Editing the file: nothing else changes, no reader sees half of it, no change is lost. */
import { execFile } from 'node:child_process'
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { chmod, chown, lstat, symlink, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import {
  addKey,
  removeEncoder,
  removeKey,
  setField,
} from '../../../src/settings/edit/encoder-edits.js'
import { editConfig, EditError } from '../../../src/settings/edit/edit.js'
import { readConfig } from '../../../src/settings/files/read.js'
import { configFrom } from '../../../src/settings/load.js'
import { ConfigError } from '../../../src/settings/problems.js'

const key = (digit: string) => ({ id: `k${digit}`, sha256: digit.repeat(64) })
const added = (text: string, encoder: string, role?: string) =>
  addKey(text, { encoder, key: key('b'), role }).text

/** Files in styles that people write, each before and after a key for `alpha` was added. */
const styles: Readonly<Record<string, readonly [before: string, after: string]>> = {
  'a file without encoders': [
    '{\n  "log": {}\n}\n',
    '{\n  "log": {},\n  "encoders": {\n    "alpha": {\n      "keys": [\n        {\n          "id": "kb",\n          "sha256": "B"\n        }\n      ]\n    }\n  }\n}\n',
  ],
  'no encoders yet, four spaces': [
    '{\n    "encoders": {}\n}\n',
    '{\n    "encoders": {\n        "alpha": {\n            "keys": [\n                {\n                    "id": "kb",\n                    "sha256": "B"\n                }\n            ]\n        }\n    }\n}\n',
  ],
  'another encoder in one line': [
    '{\n\t"encoders": {\n\t\t"beta": { "keys": [] }\n\t}\n}',
    '{\n\t"encoders": {\n\t\t"beta": { "keys": [] },\n\t\t"alpha": { "keys": [{ "id": "kb", "sha256": "B" }] }\n\t}\n}',
  ],
  'an encoder without keys': [
    '{"encoders": {\n  "alpha": {\n    "enabled":   false\n  } } }',
    '{"encoders": {\n  "alpha": {\n    "enabled":   false,\n    "keys": [\n      {\n        "id": "kb",\n        "sha256": "B"\n      }\n    ]\n  } } }',
  ],
  'an encoder with an empty list': [
    '{\n  "encoders": {\n    "alpha": { "keys": [] }\n  }\n}\n',
    '{\n  "encoders": {\n    "alpha": { "keys": [\n      {\n        "id": "kb",\n        "sha256": "B"\n      }\n    ] }\n  }\n}\n',
  ],
  'an encoder with keys in lines of their own': [
    '{\n  "encoders": {\n    "alpha": {\n      "keys": [\n        { "id": "ka", "sha256": "A" }\n      ]\n    }\n  }\n}\n',
    '{\n  "encoders": {\n    "alpha": {\n      "keys": [\n        { "id": "ka", "sha256": "A" },\n        { "id": "kb", "sha256": "B" }\n      ]\n    }\n  }\n}\n',
  ],
  'odd spacing, odd order, escapes': [
    '{ "encoders" :{"alpha":{"keys":[{"id":"ka","sha256":"A","note":"\\u00e9 \\/"}] , "role":"reader"}} ,\n\n   "log":{ }}   \n\n',
    '{ "encoders" :{"alpha":{"keys":[{"id":"ka","sha256":"A","note":"\\u00e9 \\/"},{ "id": "kb", "sha256": "B" }] , "role":"reader"}} ,\n\n   "log":{ }}   \n\n',
  ],
  'carriage returns': [
    '{\r\n  "encoders": {\r\n  }\r\n}\r\n',
    '{\r\n  "encoders": {\r\n    "alpha": {\r\n      "keys": [\r\n        {\r\n          "id": "kb",\r\n          "sha256": "B"\r\n        }\r\n      ]\r\n    }\r\n  }\r\n}\r\n',
  ],
  'all in one line': [
    '{}',
    '{"encoders": { "alpha": { "keys": [{ "id": "kb", "sha256": "B" }] } }}',
  ],
}
for (const [name, texts] of Object.entries(styles))
  t.test(`a key is added in the style of the file: ${name}`, async (t) => {
    const [before, after] = texts.map((text) =>
      text.replace('"A"', `"${'a'.repeat(64)}"`).replace('"B"', `"${'b'.repeat(64)}"`),
    )
    const result = added(before ?? '', 'alpha')
    t.equal(result, after)
    t.same(configFrom(result).encoders.alpha?.keys.at(-1), key('b'))
    t.ok(isInsertion(before ?? '', result), 'what was there is there, byte for byte')
  })

function isInsertion(before: string, after: string): boolean {
  const length = after.length - before.length
  return Array.from(before + ' ').some(
    (_, at) => before === after.slice(0, at) + after.slice(at + length),
  )
}

const commented = `{
  // Who may come.
  "encoders": {
    // Alpha's machine.
    "alpha": { "keys": [] }, // quiet since May
    /* the new one */
    "beta": {
      "keys": [
        { "id": "ka", "sha256": "${'a'.repeat(64)}" }, // of Bob
        { "id": "kc", "sha256": "${'c'.repeat(64)}" } // of Eve
        // more to come
      ],
    },
    // The end.
  },
}
`

t.test('an added key follows the comments of its neighbour', async (t) => {
  const text = added(commented, 'beta')
  const line = (lines: string, at: number) => lines.split('\n')[at]
  t.equal(line(text, 9), line(commented, 9)?.replace(' //', ', //'))
  t.equal(line(text, 10), `        { "id": "kb", "sha256": "${'b'.repeat(64)}" }`)
  t.equal(line(text, 11), '        // more to come')
  t.ok(added(text, 'gamma').includes('      ]\n    },\n    // The end.'), 'commas as before')
  const empty = '{\n  "encoders": {\n    // none yet\n  }\n}\n'
  t.match(added(empty, 'alpha'), /\{\n {4}\/\/ none yet\n {4}"alpha": /)
})

t.test('a removal leaves every comment, and a valid configuration', async (t) => {
  const comments = (text: string) => text.match(/\/\/.*|\/\*.*\*\//g)
  const results = [
    removeKey(commented, 'beta', 'ka'),
    removeKey(commented, 'beta', 'kc'),
    removeEncoder(commented, 'alpha'),
    setField(commented, ['encoders', 'alpha'], 'enabled', false),
  ]
  t.match(removeEncoder(commented, 'beta'), /the new one \*\/\n {4}\/\/ The end/, 'but its own')
  for (const text of results) {
    t.same(comments(text ?? ''), comments(commented), text ?? '')
    configFrom(text ?? '')
  }
  t.same(Object.keys(configFrom(results[2] ?? '').encoders), ['beta'])
  t.notMatch(results[1], /,\s*\/\/ of Bob/, 'the comma went with its key')
})

t.test('names that objects inherit are ordinary names', async (t) => {
  const text = added('{"encoders": {}}', 'constructor', 'operator')
  t.same(Object.keys(configFrom(text).encoders), ['constructor'])
  t.match(Object.values(configFrom(text).encoders), [{ role: 'operator' }])
})

const original = '{\n  "encoders": {}\n}\n'

function fileIn(t: Test, text = original): { dir: string; path: string; lock: string } {
  const dir = t.testdir({ 'config.json': text })
  const path = join(dir, 'config.json')
  return { dir, path, lock: `${path}.lock` }
}

const addAlpha = (text: string) => added(text, 'alpha')

t.test('an edit keeps mode and owner, and leaves nothing beside the file', async (t) => {
  const { dir, path } = fileIn(t)
  for (const mode of [0o600, 0o640, 0o444]) {
    await writeFile(path, original)
    await chmod(path, mode)
    const isRoot = process.getuid?.() === 0
    if (isRoot) await chown(path, 65_534, 65_533)
    const before = statSync(path)
    await editConfig(path, addAlpha)
    const after = statSync(path)
    t.equal(after.mode, before.mode)
    t.same([after.uid, after.gid], [before.uid, before.gid])
    t.not(after.ino, before.ino, 'the file was replaced, not written over')
    t.same(readdirSync(dir), ['config.json'])
    await chmod(path, 0o600)
  }
})

t.test('a byte order mark stays', async (t) => {
  const { path } = fileIn(t, `\uFEFF${original}`)
  await editConfig(path, addAlpha)
  t.equal(readFileSync(path, 'utf8'), `\uFEFF${addAlpha(original)}`)
})

t.test('behind a symbolic link the file is edited, and the link stays', async (t) => {
  const { dir, path } = fileIn(t)
  const link = join(dir, 'link.json')
  await symlink('config.json', link)
  await editConfig(link, addAlpha)
  t.ok(lstatSync(link).isSymbolicLink())
  t.equal(readFileSync(path, 'utf8'), addAlpha(original))
})

t.test('a second editor waits while the first is at work', async (t) => {
  const { path, lock } = fileIn(t)
  let second: Promise<unknown> = Promise.resolve()
  const withBeta = (text: string) =>
    addKey(text, { encoder: 'beta', key: key('c'), role: undefined }).text
  await editConfig(path, (text) => {
    t.equal(statSync(lock).mode & 0o777, 0o600, 'no other user may read the unfinished file')
    second = editConfig(path, withBeta)
    return addAlpha(text)
  })
  await second
  t.equal(readFileSync(path, 'utf8'), withBeta(addAlpha(original)))
  t.notOk(existsSync(lock))
})

t.test('a stale lock is reported, with what to do', async (t) => {
  const { path, lock } = fileIn(t)
  await writeFile(lock, 'half of')
  const edit = (waitMs?: number) =>
    editConfig(path, addAlpha, undefined, waitMs).catch((error: unknown) => error)
  const named = { name: 'EditError', message: lock, hint: `delete ${lock}` }
  t.match(await edit(0), named, 'one that was left just now')
  await utimes(lock, 0, 0)
  t.match(await edit(), named, 'no edit waits for an old lock')
  t.equal(readFileSync(path, 'utf8'), original)
  t.equal(readFileSync(lock, 'utf8'), 'half of', 'it is for the operator to delete')
})

t.test('a lock that is a symbolic link is not followed', async (t) => {
  const { dir, path, lock } = fileIn(t)
  await symlink(join(dir, 'elsewhere'), lock)
  t.match(await editConfig(path, addAlpha).catch((error: unknown) => error), { name: 'EditError' })
  t.notOk(existsSync(join(dir, 'elsewhere')))
  t.ok((await lstat(lock)).isSymbolicLink())
})

t.test('a result that is not a valid configuration replaces nothing', async (t) => {
  const { dir, path } = fileIn(t)
  const error: unknown = await editConfig(path, (text) => added(text, 'alpha', 'boss')).catch(
    (error: unknown) => error,
  )
  t.match(error, { problems: [{ path: 'encoders.alpha.role' }] })
  t.equal(readFileSync(path, 'utf8'), original)
  t.same(readdirSync(dir), ['config.json'], 'and the lock is gone')
})

t.test('what another program wrote meanwhile is not overwritten', async (t) => {
  const { dir, path } = fileIn(t)
  const foreign = '{"log": {"level": "warn"}}'
  const error: unknown = await editConfig(path, (text) => {
    writeFileSync(path, foreign)
    return addAlpha(text)
  }).catch((error: unknown) => error)
  t.match(error, { name: 'EditError', message: 'was changed meanwhile' })
  t.equal(readFileSync(path, 'utf8'), foreign)
  t.same(readdirSync(dir), ['config.json'])
})

t.test('edits by hand at any moment are neither overwritten nor dropped', async (t) => {
  const { dir, path } = fileIn(t)
  const stop = join(dir, 'stop')
  const program = fileURLToPath(new URL('hand-edits.js', import.meta.url))
  const hand = promisify(execFile)(process.execPath, [program, path, stop])
  const ended = { changed: 0, refused: 0 }
  while (ended.changed < 300 || ended.refused < 300)
    try {
      await editConfig(path, (text) => setField(text, ['encoders'], 'alpha', {}))
      ended.changed++
    } catch (error) {
      if (!(error instanceof EditError || error instanceof ConfigError)) throw error
      ended.refused++
    }
  writeFileSync(stop, '')
  const { count, lost, last } = JSON.parse((await hand).stdout) as HandEdits
  t.comment({ count, ...ended })
  const copies = readdirSync(dir).filter((name) => /^config\.json\.kept-\d+$/.test(name))
  const kept = copies.map((name) => readFileSync(join(dir, name), 'utf8')).join()
  t.same(
    lost.filter((name) => !kept.includes(`"${name}"`)),
    [],
  )
  t.ok(Object.hasOwn(configFrom(readFileSync(path, 'utf8')).encoders, last))
  t.same(
    readdirSync(dir).filter((name) => !copies.includes(name)),
    ['config.json', 'stop'],
  )
})

interface HandEdits {
  readonly count: number
  readonly lost: readonly string[]
  readonly last: string
}

t.test('a write into the old file during its replacement is kept and reported', async (t) => {
  const { dir, path } = fileIn(t)
  const late = openSync(path, 'r+')
  t.teardown(() => {
    closeSync(late)
  })
  const copies: string[] = []
  const editing = editConfig(path, addAlpha, (copy) => copies.push(copy))
  while (readFileSync(path, 'utf8') === original) await setImmediate()
  writeSync(late, '{ "log": {} }     ')
  await editing
  t.equal(readFileSync(path, 'utf8'), addAlpha(original))
  t.equal(copies.length, 1)
  t.match(readFileSync(copies[0] ?? '', 'utf8'), '{ "log": {} }')
  t.same(readdirSync(dir), ['config.json', basename(copies[0] ?? '')])
})

t.test('an edit that was killed between its steps does not lose the file', async (t) => {
  const { dir, path } = fileIn(t)
  renameSync(path, `${path}.former`)
  t.equal((await readConfig(path)).text, original, 'it is read where it was moved to')
  await editConfig(path, addAlpha)
  t.equal(readFileSync(path, 'utf8'), addAlpha(original))
  linkSync(path, `${path}.former`)
  const disabled = (text: string) => setField(text, ['encoders', 'alpha'], 'enabled', false)
  await editConfig(path, disabled)
  t.equal(readFileSync(path, 'utf8'), disabled(addAlpha(original)))
  t.same(readdirSync(dir), ['config.json'])
})

t.test('a missing file is not created', async (t) => {
  const dir = t.testdir({})
  for (const path of [join(dir, 'config.json'), join(dir, 'none', 'config.json')])
    t.match(await editConfig(path, addAlpha).catch((error: unknown) => error), {
      problems: [{ found: 'no such file' }],
      hint: 'pinwarden init',
    })
  t.same(readdirSync(dir), [])
})

t.test('any key can be removed from any list, and the others stay unchanged', (t) => {
  const ids = ['ka', 'kb', 'kc']
  const keyText = (id: string) => `{ "id": "${id}", "sha256": "${id.slice(1).repeat(64)}" }`
  /** Before, between and behind the items. */
  const styles = [
    ['', ',', ''],
    ['', ', ', ''],
    [' ', ' , ', ' '],
    ['\n  ', ',\n  ', '\n'],
    ['\r\n\t', ',\r\n\t', '\r\n\t'],
  ] as const
  for (const [start, between, end] of styles)
    for (const count of [1, 2, 3]) {
      const present = ids.slice(0, count)
      const list = `[${start}${present.map(keyText).join(between)}${end}]`
      const text = `{"encoders":{"alpha":{"keys":${list}}}}`
      for (const id of present) {
        const left = removeKey(text, 'alpha', id) ?? ''
        const others = present.filter((other) => other !== id)
        const { alpha } = configFrom(left).encoders
        t.same(
          alpha?.keys.map(({ id }) => id),
          others,
          `${id} from ${list}`,
        )
        for (const other of others) t.ok(left.includes(keyText(other)))
      }
    }
  t.end()
})
