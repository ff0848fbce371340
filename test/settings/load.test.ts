/**
 * The configuration file: what is valid, what is not, and that all problems are reported together.
 */
import { chmodSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { sliceSize, type SlicedWork } from '../../src/time/slices.js'
import { parseJson } from '../../src/settings/files/parse.js'
import { rulesBroken } from '../../src/settings/rules.js'
import { validate } from '../../src/settings/schema/validate.js'
import { warningsOf } from '../../src/settings/warnings.js'
import { configFrom, loadSettings, settingsFrom } from '../../src/settings/load.js'
import { ConfigError, type Problem } from '../../src/settings/problems.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { buildKeyring } from '../../src/settings/keyring/keyring.js'
import { snapshotFrom } from '../support/snapshot-from.js'

function problemsOf(make: () => unknown): readonly Problem[] {
  try {
    make()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

const problemsIn = (text: string) => problemsOf(() => configFrom(text))
const digest = (digit: string) => digit.repeat(64)

t.test('an empty object is a configuration: everything has a default', async (t) => {
  const { config } = snapshotFrom({})
  t.equal(config.listen.host, '127.0.0.1')
  t.equal(config.listen.port, 9098)
  t.same(config.cluster.endpoints, [{ url: 'http://127.0.0.1:9094' }])
  t.equal(config.limits.failures.max, 20)
  t.same(config.encoders, {})
})

t.test('"memory" is a store that no gates share', async (t) => {
  t.same(snapshotFrom({ store: 'memory' }).config.store, snapshotFrom({}).config.store)
  t.match(problemsIn('{"store": "disk"}'), [{ path: 'store', found: '"disk"' }])
})

t.test('defaults reach into encoders and keys', async (t) => {
  const { config } = snapshotFrom({ encoders: { alpha: {} } })
  t.same(config.encoders.alpha, {
    enabled: true,
    role: 'pinner',
    allow: [],
    deny: [],
    options: [],
    from: [],
    keys: [],
  })
})

const good: Readonly<Record<string, string>> = {
  'a byte order mark': '\uFEFF{}',
  'carriage returns': '{\r\n"log": {"level": "warn"}\r\n}\r\n',
  'TLS elsewhere': '{"listen": {"host": "0.0.0.0", "allowPlainHttp": true}}',
  'comments, and commas behind the last':
    '// a\n{/* b */"log": {"level": "warn", // "}\n}, "roles": {"a": ["id",],},\n}\n// c',
  'what looks like comments in a text':
    '{"encoders": {"alpha": {"keys": []}}, "log": {"file": "//,]"}}',
  'loopback by name': '{"listen": {"host": "localhost"}}',
  'loopback in IPv6': '{"listen": {"host": "::1"}}',
  'a name that objects inherit': '{"encoders": {"constructor": {}, "valueof": {}}}',
  'a name of digits': '{"encoders": {"0": {}}}',
}
for (const [name, text] of Object.entries(good))
  t.test(`good: ${name}`, async (t) => {
    t.same(problemsIn(text), [])
  })

const key = (id: string, digit: string, more = '') =>
  `{"id":"${id}","sha256":"${digest(digit)}"${more}}`
const encoder = (inner: string) => `{"encoders": {"alpha": {${inner}}}}`

/** What the text holds, and where the problem is, what is found and what is expected. */
const bad: readonly (readonly [
  text: string,
  path: string,
  found: string | RegExp,
  expected: RegExp,
])[] = [
  // JSON
  ['', 'line 1, column 1', 'no value', /a value/],
  ['{\n  "log": {,}\n}', 'line 2, column 11', 'no value', /a value/],
  ['{"log": {}\n "limits": {}}', 'line 2, column 2', 'no comma', /a comma/],
  ['{"log": {},,}', 'line 1, column 12', 'no field name', /a field name/],
  ['{"roles": {"a": [,]}}', 'line 1, column 18', 'no value', /a value/],
  ['{} /* x', 'line 1, column 4', 'a comment without end', /\*\//],
  ['{"__proto__": {}, /* x */}', '["__proto__"]', 'an unknown field', /one of/],
  ['{} {}', 'line 1, column 4', 'more text', /the end/],
  ['{"log": \'x\'}', 'line 1, column 9', 'an unknown word', /JSON/],
  ['{"log": {"file": "a\nb"}}', 'line 1, column 18', 'a string without end', /double quote/],
  ['{"log": {"file": "a\tb"}}', 'line 1, column 18', /control character/, /escape/],
  ['{"log": {"level": 01}}', 'line 1, column 20', 'no comma', /comma/],
  ['{"log": NaN}', 'line 1, column 9', 'an unknown word', /JSON/],
  ['['.repeat(100_000), 'line 1, column 1', /too deeply/, /less/],
  // fields
  ['[]', '', 'a list of 0', /an object/],
  ['null', '', 'null', /an object/],
  ['{"listn": {}}', 'listn', 'an unknown field', /^perhaps listen$/],
  ['{"listen": {"Port": 1}}', 'listen.Port', 'an unknown field', /^perhaps port$/],
  ['{"__proto__": {}}', '["__proto__"]', 'an unknown field', /one of/],
  ['{"listen": 5}', 'listen', '5', /an object/],
  ['{"listen": null}', 'listen', 'null', /an object/],
  ['{"listen": {"port": 70000}}', 'listen.port', '70000', /whole number of 0 to 65535/],
  ['{"listen": {"port": "9098"}}', 'listen.port', '"9098"', /whole number/],
  ['{"listen": {"port": 1.5}}', 'listen.port', '1.5', /whole number/],
  ['{"listen": {"allowPlainHttp": 1}}', 'listen.allowPlainHttp', '1', /true or false/],
  ['{"listen": {"host": "127.0.0.1:9098"}}', 'listen.host', /9098/, /without port/],
  ['{"listen": {"host": "[::1]"}}', 'listen.host', /::1/, /brackets/],
  ['{"listen": {"host": "300.1.1.1"}}', 'listen.host', /300/, /address/],
  ['{"listen": {"trustProxy": ["10.0.0.0/33"]}}', 'listen.trustProxy[0]', /33/, /CIDR/],
  ['{"log": {"level": "loud"}}', 'log.level', '"loud"', /one of debug, info, warn, error/],
  ['{"listen": {"tls": {"certFile": "c"}}}', 'listen.tls.keyFile', 'nothing', /a string/],
  ['{"cluster": {"endpoints": []}}', 'cluster.endpoints', 'a list of 0', /a list of 1/],
  [
    '{"cluster": {"endpoints": [{"url": "http://a:99999"}]}}',
    'cluster.endpoints[0].url',
    /a string of 14/,
    /https:/,
  ],
  ['{"encoders": {"a:b": {}}}', 'encoders["a:b"]', 'this name', /a-z 0-9/],
  ['{"encoders": {"Alpha": {}}}', 'encoders.Alpha', 'this name', /a-z 0-9/],
  ['{"encoders": {"": {}}}', 'encoders[""]', 'this name', /a-z 0-9/],
  ['{"encoders": {"a.b": {"x": 1}}}', 'encoders["a.b"].x', 'an unknown field', /one of enabled/],
  [encoder('"from": ["10.0.0.0/8", "nowhere"]'), 'encoders.alpha.from[1]', '"nowhere"', /CIDR/],
  [encoder('"from": ["fe80::1%eth0"]'), 'encoders.alpha.from[0]', /eth0/, /CIDR/],
  [encoder('"from": ["10.0.0.0/08"]'), 'encoders.alpha.from[0]', /08/, /CIDR/],
  [encoder('"allow": ["fly"]'), 'encoders.alpha.allow[0]', '"fly"', /one of id, status/],
  [
    encoder('"allow": ["pin", "pin"]'),
    'encoders.alpha.allow',
    'the same item twice',
    /no item twice/,
  ],
  [encoder('"keys": [{}]'), 'encoders.alpha.keys[0].id', 'nothing', /A-Z/],
  [
    encoder(`"keys": [${key('a', 'a', ',"created":"2026-02-30T00:00:00Z"')}]`),
    'encoders.alpha.keys[0].created',
    /2026-02-30/,
    /UTC/,
  ],
  [
    encoder(`"keys": [${key('a', 'a', ',"expires":"2026-02-03"')}]`),
    'encoders.alpha.keys[0].expires',
    /2026-02-03/,
    /UTC/,
  ],
  // between fields
  ['{"encoders": {"alpha": {}, "alpha": {}}}', 'encoders.alpha', 'a second time in line 1', /once/],
  ['{"log": {},\n"log": {}}', 'log', 'a second time in line 2', /once/],
  ['{"roles": {"reader": ["pin"]}}', 'roles.reader', 'a built-in role', /another name/],
  [encoder('"role": "boss"'), 'encoders.alpha.role', '"boss"', /reader, pinner, operator/],
  [encoder('"role": "constructor"'), 'encoders.alpha.role', '"constructor"', /reader/],
  [encoder('"allow": ["pin"], "deny": ["pin"]'), 'encoders.alpha.deny', /pin/, /one of them only/],
  [
    encoder(`"keys": [${key('a', 'a')}, ${key('a', 'b')}]`),
    'encoders.alpha.keys[1].id',
    '"a" again',
    /its own/,
  ],
  [
    `{"encoders": {"a": {"keys": [${key('k', 'a')}]}, "b": {"keys": [${key('k', 'a')}]}}}`,
    'encoders.b.keys[0].sha256',
    'the same key as encoders.a.keys[0]',
    /its own/,
  ],
  [
    encoder(
      `"keys": [${key('a', 'a', ',"created":"2026-02-03T00:00:00Z","expires":"2026-02-03T00:00:00Z"')}]`,
    ),
    'encoders.alpha.keys[0].expires',
    /2026/,
    /after created/,
  ],
  ['{"listen": {"host": "203.0.113.7"}}', 'listen.host', /without TLS/, /allowPlainHttp/],
  ['{"listen": {"host": "::"}}', 'listen.host', /without TLS/, /listen\.tls/],
  [
    '{"listen": {"headersTimeoutMs": 30000}}',
    'listen.headersTimeoutMs',
    '30000',
    /at most listen\.requestTimeoutMs, 20000/,
  ],
  [
    '{"listen": {"urlBytesMax": 30000}}',
    'listen.urlBytesMax',
    '30000',
    /at most listen\.headerBytesMax/,
  ],
  [
    '{"cluster": {"endpoints": [{"url": "http://a", "username": "u"}]}}',
    'cluster.endpoints[0].passwordFile',
    'nothing',
    /or neither/,
  ],
]
for (const [text, path, found, expected] of bad)
  t.test(`bad: ${text.slice(0, 90)}`, async (t) => {
    const [problem] = problemsIn(text)
    t.equal(problem?.path, path)
    t.match(problem?.found, found)
    t.match(problem?.expected, expected)
  })

t.test('all problems are reported together, including those between valid fields', async (t) => {
  const text = `{
    "listen": { "port": -1, "host": "203.0.113.7", "colour": "red" },
    "log": { "level": "loud" }, "log": { "level": "loud" },
    "cluster": { "endpoints": [{ "url": "http://a", "username": "u" }] },
    "roles": { "mine": ["id", "fly"], "reader": ["pin"] },
    "encoders": {
      "A": {},
      "b": { "keys": [{ "id": "x y" }] },
      "c": { "role": "mine", "allow": ["pin"], "deny": ["pin"] },
      "d": { "role": "boss" }
    }
  }`
  t.same(
    problemsIn(text)
      .map(({ path }) => path)
      .sort(),
    [
      'cluster.endpoints[0].passwordFile',
      'encoders.A',
      'encoders.b.keys[0].id',
      'encoders.b.keys[0].sha256',
      'encoders.c.deny',
      'encoders.d.role',
      'listen.colour',
      'listen.port',
      'log',
      'log.level',
      'roles.mine[1]',
      'roles.reader',
    ],
  )
})

t.test('no message shows a secret that is in the wrong place', async (t) => {
  const secret = generateKey()
  const password = 'correct-horse'
  const texts = [
    encoder(`"keys": [{"id": "a", "sha256": "${secret}"}]`),
    encoder(`"keys": [{"id": "${secret}", "sha256": "${digest('a')}"}]`),
    encoder(`"keys": ["${secret}"]`),
    encoder(`"keys": {"${secret}": {}}`),
    encoder(`"role": "${secret}"`),
    encoder(`"from": ["${secret}"]`),
    encoder(`"${secret}": 1`),
    encoder(`"password": "${password}"`),
    `{"encoders": {"${secret}": {}}}`,
    `{"encoders": {"alpha:${secret}": {}}}`,
    `{"cluster": {"endpoints": [{"url": "http://user:${password}@host"}]}}`,
    `{"cluster": {"endpoints": [{"url": "http://host/?token=${password}"}]}}`,
    `{"cluster": {"endpoints": ["http://user:${password}@host"]}}`,
    `{"listen": {"host": "http://user:${password}@host"}}`,
    `{"cluster": {"endpoints": [{"url": "http://h", "username": "u", "passwordFile": "${password}"}]}}`,
    `{"listen": {"tls": {"certFile": "${password}", "keyFile": "${password}/${secret}"}}}`,
    `{"listen": {"tls": {"certFile": "-----BEGIN PRIVATE KEY-----\\n${password}", "keyFile": 5}}}`,
    `{"cluster": {"endpoints": [{"url": "http://h", "username": "u:${password}"}]}}`,
    `{"password": "${password}" "x"}`,
    `{"password": ${secret}}`,
  ]
  for (const text of texts) {
    try {
      settingsFrom(text, '/nowhere')
      t.fail(text)
    } catch (error) {
      const said = `${String(error)} ${JSON.stringify(error)}`
      t.type(error, ConfigError)
      t.notOk(said.includes(secret) || said.includes(password), said)
    }
  }
})

t.test('messages are bounded in length and number', async (t) => {
  const [problem] = problemsIn(`{"log": {"level": "${'very '.repeat(10_000)}loud"}}`)
  t.equal(problem?.found, 'a string of 50004 characters')
  const encoders = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`e${n}`, { x: 1 }]))
  const error = new ConfigError(problemsOf(() => snapshotFrom({ encoders })))
  t.equal(error.problems.length, 1000)
  t.match(error.message, /\nand 800 more$/)
})

t.test('with thousands of encoders no step exceeds a slice', async (t) => {
  const slices = 10
  const names = Array.from({ length: slices * sliceSize }, (_, n) => `encoder-${n}`)
  const keys = (name: string) => [{ id: 'k1', sha256: digestOf(name) }]
  const encoders = Object.fromEntries(names.map((name) => [name, { keys: keys(name) }]))
  const text = JSON.stringify({ encoders }, undefined, 2)
  const counted = <T>(what: string, steps: SlicedWork<T>): T => {
    let count = 0
    for (;;) {
      const step = steps.next()
      if (step.done === true) {
        t.ok(count >= slices, `${what}: ${count} pauses`)
        return step.value
      }
      count++
    }
  }
  const { value } = counted('parsing', parseJson(text))
  const { config } = counted('the schema', validate(value))
  t.same(config, settingsFrom(text, '/').snapshot.config)
  counted('the rules', rulesBroken(config))
  counted('the keyring', buildKeyring(config))
  counted('the warnings', warningsOf(config, 0))
  const last = names.at(-1) ?? ''
  for (const [broken, path] of [
    [text.replace(/}\s*}\s*$/, '}, "more": 1}'), 'more'],
    [text.replace(digestOf(last), 'x'), `encoders.${last}.keys[0].sha256`],
    [text.replace(digestOf(last), digestOf('encoder-0')), `encoders.${last}.keys[0].sha256`],
    [text.replace(last, 'encoder-0'), 'encoders.encoder-0'],
  ] as const)
    t.match(problemsIn(broken), [{ path }])
})

t.test('a snapshot cannot be changed, and what it was made from is left alone', async (t) => {
  const input = { encoders: { alpha: {} } }
  const snapshot = snapshotFrom(input)
  t.same(input, { encoders: { alpha: {} } })
  t.throws(() => Object.assign(snapshot.config.listen, { port: 1 }), TypeError)
  t.throws(() => snapshot.config.encoders.alpha?.allow.push('resolve'), TypeError)
})

t.test('an unreadable file is a separate problem', async (t) => {
  const dir = t.testdir({ 'latin1.json': Buffer.from('{"note": "\xe9"}', 'latin1'), folder: {} })
  const cases = [
    ['missing.json', 'no such file'],
    ['folder', 'no regular file'],
    ['latin1.json', 'bytes that are not UTF-8'],
  ] as const
  for (const [file, found] of cases) {
    const error = await loadSettings(join(dir, file)).catch((error: unknown) => error)
    t.match(error, { name: 'ConfigError', problems: [{ path: '', found }] }, file)
  }
})

t.test(
  'a file is loaded through a symbolic link, and a world-readable one causes a warning',
  async (t) => {
    const dir = t.testdir({ 'config.json': '{"encoders": {"alpha": {"enabled": false}}}' })
    const path = join(dir, 'config.json')
    symlinkSync('config.json', join(dir, 'link.json'))
    chmodSync(path, 0o640)
    t.same((await loadSettings(join(dir, 'link.json'))).warnings, [])
    chmodSync(path, 0o644)
    t.same((await loadSettings(path)).warnings, ['the file is readable by everybody'])
  },
)

t.test('allowed but likely mistakes cause warnings', async (t) => {
  const expires = '2020-01-01T00:00:00Z'
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [{}, /^no encoders/],
    [
      { listen: { host: '0.0.0.0', allowPlainHttp: true }, encoders: { a: { enabled: false } } },
      /are sent unencrypted/,
    ],
    [
      {
        cluster: { endpoints: [{ url: 'http://203.0.113.7' }] },
        encoders: { a: { enabled: false } },
      },
      /unencrypted/,
    ],
    [{ lookBack: { directory: 'a' }, encoders: { a: { enabled: false } } }, /^lookBack: its name/],
    [
      {
        ...{ lookBack: { directory: 'a' }, ledger: { directory: 'b' } },
        encoders: { a: { enabled: false } },
      },
      /^lookBack: ledger is also set/,
    ],
    [{ encoders: { a: {}, b: {} } }, /^encoders without a key: a, b$/],
    [
      { encoders: { a: { keys: [{ id: 'k', sha256: 'ab'.repeat(32), expires }] } } },
      /expired keys only: a$/,
    ],
    [{ encoders: { a: { keys: [{ id: 'k', sha256: digest('0') }] } } }, /fits no key/],
  ]
  for (const [input, warning] of cases) {
    const { warnings } = settingsFrom(JSON.stringify(input), '/')
    t.equal(warnings.length, 1, warnings.join())
    t.match(warnings[0], warning)
  }
})
