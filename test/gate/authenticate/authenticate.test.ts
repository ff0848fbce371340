/** Phase 1: which requests pass, and the answers that all others get. */
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { exchange, head } from '../../support/raw.js'
import { headersSent, startGate } from '../../support/start-gate.js'

const denied = { code: 401, message: 'unauthorized: access denied' }
const basicOf = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

t.test('a key is accepted as Basic and as Bearer', async (t) => {
  const gate = await startGate(t)
  const key = gate.keys.alpha ?? ''
  for (const authorization of [
    gate.basic(),
    `Bearer ${key}`,
    `bearer ${key}`,
    `basic ${gate.basic().slice(6)}`,
  ]) {
    const answer = await gate.ask('GET', '/id', { headers: { authorization } })
    t.equal(answer.status, 200, authorization.slice(0, 7))
  }
  t.equal(gate.cluster.requests.length, 4)
  t.ok(gate.lines.every((line) => line.encoder === 'alpha' && line.keyId === 'k1'))
})

t.test('the credential never reaches the cluster', async (t) => {
  const gate = await startGate(t)
  await gate.ask('GET', '/id', { headers: { cookie: 'a=b', 'proxy-authorization': 'Basic eDp5' } })
  const [received] = gate.cluster.requests
  t.same(Object.keys(received?.headers ?? {}).sort(), headersSent)
})

t.test('no credential is 401 with both challenges, and nothing reaches the cluster', async (t) => {
  const gate = await startGate(t)
  for (const path of ['/id', '/pins', '/nowhere', '/add', '/id/', '/%zz']) {
    const response = await fetch(gate.url + path)
    t.equal(response.status, 401, path)
    t.same(await response.json(), { code: 401, message: 'unauthorized: no auth provided' })
    t.match(response.headers.get('www-authenticate'), /Bearer realm=.*Basic realm=/)
  }
  t.equal(gate.cluster.requests.length, 0)
})

t.test('every bad credential gets the same answer, and the log distinguishes them', async (t) => {
  const disabledKey = generateKey()
  const expiredKey = generateKey()
  const gate = await startGate(t, {
    encoders: {
      off: { enabled: false, keys: [{ id: 'k', sha256: digestOf(disabledKey) }] },
      old: {
        keys: [
          {
            id: 'k',
            sha256: digestOf(expiredKey),
            expires: '2020-01-01T00:00:00Z',
          },
        ],
      },
      far: { from: ['192.0.2.0/24'] },
      beta: {},
    },
  })
  const key = gate.keys.alpha ?? ''
  const mistyped = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')
  const cases: [string, string, string][] = [
    ['wrong key', basicOf(`alpha:${generateKey()}`), 'key-unknown'],
    ['unknown name', basicOf(`nobody:${generateKey()}`), 'key-unknown'],
    ['a typo in the key', basicOf(`alpha:${mistyped}`), 'key-mistyped'],
    ['not a key at all', basicOf('alpha:secret'), 'key-malformed'],
    ['a key of another encoder', basicOf(`beta:${key}`), 'key-of-another'],
    ['no name', basicOf(`:${key}`), 'key-of-another'],
    ['the key as name', basicOf(`${key}:`), 'key-malformed'],
    ['disabled encoder', basicOf(`off:${disabledKey}`), 'encoder-disabled'],
    ['expired key', basicOf(`old:${expiredKey}`), 'key-expired'],
    ['wrong network', gate.basic('far'), 'wrong-network'],
    ['unknown Bearer', `Bearer ${generateKey()}`, 'key-unknown'],
    ['no base64', 'Basic ***', 'bad-credential'],
    ['no colon', basicOf('alpha'), 'bad-credential'],
    ['control characters', basicOf(`alpha:${key}\n`), 'bad-credential'],
    ['another scheme', 'Digest username="alpha"', 'bad-credential'],
    ['empty', 'Basic', 'bad-credential'],
  ]
  for (const [title, authorization, reason] of cases) {
    const answer = await gate.ask('POST', '/pins/x', { headers: { authorization } })
    t.equal(answer.status, 401, title)
    t.same(answer.json, denied, title)
    t.match(answer.headers.get('www-authenticate'), /Bearer.*Basic/, title)
    t.match(gate.lines.at(-1), { status: 401, outcome: 'refused', reason }, title)
    t.notOk(gate.lines.at(-1)?.encoder, 'a name that was not authenticated is not logged')
  }
  t.equal(gate.cluster.requests.length, 0)
})

t.test('a key in the query is not a credential', async (t) => {
  const gate = await startGate(t)
  const response = await fetch(`${gate.url}/id?key=${gate.keys.alpha ?? ''}`)
  t.equal(response.status, 401)
  t.equal(gate.cluster.requests.length, 0)
})

t.test('an encoder bound to its network is let in from there', async (t) => {
  const gate = await startGate(t, { encoders: { near: { from: ['127.0.0.0/8'] } } })
  t.equal((await gate.ask('GET', '/id', { as: 'near' })).status, 200)
})

t.test('two Authorization headers are 400, whichever is right', async (t) => {
  const gate = await startGate(t)
  const wrong = basicOf('alpha:wrong')
  for (const [first, second] of [
    [gate.basic(), wrong],
    [wrong, gate.basic()],
  ] as const) {
    const text = await exchange(
      gate.url,
      head('GET /id HTTP/1.1', 'Host: x', `Authorization: ${first}`, `Authorization: ${second}`),
    )
    t.match(text, /^HTTP\/1\.1 400 .*more than one Authorization header/s)
  }
  t.equal(gate.cluster.requests.length, 0)
})

t.test(
  'over the budget of failures an address gets 429, but a valid key always passes',
  async (t) => {
    const gate = await startGate(t, { limits: { failures: { max: 3 } } })
    const headers = { authorization: basicOf(`alpha:${generateKey()}`) }
    const seen = []
    for (let i = 0; i < 5; i++) seen.push(await gate.ask('GET', '/id', { headers }))
    t.same(
      seen.map((answer) => answer.status),
      [401, 401, 401, 429, 429],
    )
    const last = seen.at(-1)
    t.match(last?.headers.get('retry-after'), /^[1-9]\d*$/)
    t.same(last?.json, { code: 429, message: 'too many failed attempts from this address' })
    t.match(gate.lines.at(-1), { status: 429, reason: 'too-many-failures' })
    t.equal((await gate.ask('GET', '/id')).status, 200, 'a good key behind the same address')
    t.equal(gate.cluster.requests.length, 1)
  },
)

t.test('a flood of other addresses does not give an address its attempts back', async (t) => {
  const gate = await startGate(t, {
    listen: { trustProxy: ['127.0.0.1'] },
    limits: { failures: { max: 2, addressesMax: 1024 } },
  })
  const fail = async (address: string) => {
    const headers = { authorization: 'Basic eDp5', 'x-forwarded-for': address }
    return (await gate.ask('GET', '/id', { headers })).status
  }
  await fail('192.0.2.1')
  await fail('192.0.2.1')
  t.equal(await fail('192.0.2.1'), 429)
  for (let i = 0; i < 1500; i++) await fail(`10.0.${i >> 8}.${i & 255}`)
  t.equal(await fail('192.0.2.1'), 429)
})

t.test('an unknown name and a wrong key get the same bytes', async (t) => {
  const gate = await startGate(t)
  const ask = async (name: string) => {
    const credential = basicOf(`${name}:${generateKey()}`)
    const text = await exchange(
      gate.url,
      head('GET /id HTTP/1.1', 'Host: x', 'Connection: close', `Authorization: ${credential}`),
    )
    return text.replace(/x-request-id: \S+/i, '').replace(/date: [^\r]+/i, '')
  }
  t.equal(await ask('alpha'), await ask('nobody'))
})

const replaced = async (t: Test) => {
  const gate = await startGate(t)
  t.equal((await gate.ask('GET', '/id')).status, 200)
  return gate
}

t.test('a disabled encoder is refused from the next request on', async (t) => {
  const gate = await replaced(t)
  gate.replace({ encoders: { alpha: { enabled: false } } })
  t.equal((await gate.ask('GET', '/id')).status, 401)
  t.equal(gate.cluster.requests.length, 1)
})
