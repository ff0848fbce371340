/** The keyring: whose key it is, and what its encoder may do. */
import t from 'tap'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import type { KeyEntry, KeyFault } from '../../../src/settings/keyring/keyring.js'
import { settingsFrom } from '../../../src/settings/load.js'
import { snapshotFrom } from '../../support/snapshot-from.js'

const keyOf = (id: string, secret: string) => ({ id, sha256: digestOf(secret) })

function encoderIn(found: KeyEntry | KeyFault) {
  if (typeof found === 'string') throw new Error(found)
  return found.encoder
}

t.test('each key of an encoder finds it, with its own id and expiry', async (t) => {
  const [first, second] = [generateKey(), generateKey()]
  const expires = '2030-01-01T00:00:00Z'
  const { keyring } = snapshotFrom({
    encoders: { alpha: { keys: [keyOf('a', first), { ...keyOf('b', second), expires }] } },
  })
  t.match(keyring.find(first), { id: 'a', expiresAtMs: Infinity, encoder: { name: 'alpha' } })
  t.match(keyring.find(second), { id: 'b', expiresAtMs: Date.parse(expires) })
  t.equal(encoderIn(keyring.find(first)), encoderIn(keyring.find(second)))
  t.equal(keyring.encoderCount, 1)
  t.equal(keyring.encoder('alpha')?.name, 'alpha')
  t.equal(keyring.encoder('constructor'), undefined)
})

t.test('an unknown key is distinguished from a mistyped or malformed one', async (t) => {
  const key = generateKey()
  const { keyring } = snapshotFrom({ encoders: { alpha: { keys: [keyOf('a', key)] } } })
  t.equal(keyring.find(generateKey()), 'key-unknown')
  t.equal(keyring.find(key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')), 'key-mistyped')
  t.equal(keyring.find('secret'), 'key-malformed')
  t.equal(keyring.find(digestOf(key)), 'key-malformed', 'the hash is no key')
})

t.test(
  'permissions are those of the role, with what is allowed and without what is denied',
  async (t) => {
    const cases = [
      { encoder: {}, expected: ['id', 'list', 'pin', 'recover', 'status', 'unpin'] },
      { encoder: { role: 'reader' }, expected: ['id', 'list', 'status'] },
      {
        encoder: { role: 'reader', allow: ['pin'], deny: ['list'] },
        expected: ['id', 'pin', 'status'],
      },
      { encoder: { role: 'uploader' }, expected: ['id', 'pin'] },
      { encoder: { role: 'constructor' }, expected: ['status'] },
    ]
    for (const { encoder, expected } of cases) {
      const key = generateKey()
      const { keyring } = snapshotFrom({
        roles: { uploader: ['id', 'pin'], constructor: ['status'] },
        encoders: { alpha: { ...encoder, keys: [keyOf('a', key)] } },
      })
      t.same(
        [...encoderIn(keyring.find(key)).permissions].sort(),
        expected,
        JSON.stringify(encoder),
      )
    }
  },
)

t.test("an encoder's limits override the defaults field by field", async (t) => {
  const key = generateKey()
  const { keyring } = snapshotFrom({
    limits: { reads: { max: 7 }, inFlight: 5 },
    encoders: {
      alpha: {
        keys: [keyOf('a', key)],
        limits: { reads: { windowSeconds: 9 }, writes: { max: 0 } },
      },
    },
  })
  t.same(encoderIn(keyring.find(key)).limits, {
    reads: { max: 7, windowSeconds: 9 },
    listings: { max: 6, windowSeconds: 60 },
    writes: { max: 0, windowSeconds: 60 },
    inFlight: 5,
    leases: Infinity,
    unfinished: Infinity,
  })
})

t.test('an encoder may be bound to networks, whichever way an address is written', async (t) => {
  const [bound, free] = [generateKey(), generateKey()]
  const from = ['192.0.2.0/24', '198.51.100.7', '2001:db8::/32']
  const { keyring } = snapshotFrom({
    encoders: { alpha: { from, keys: [keyOf('a', bound)] }, beta: { keys: [keyOf('a', free)] } },
  })
  const list = encoderIn(keyring.find(bound)).from
  t.equal(encoderIn(keyring.find(free)).from, undefined)
  const cases = [
    ['192.0.2.255', 'ipv4', true],
    ['::ffff:192.0.2.1', 'ipv6', true],
    ['192.0.3.0', 'ipv4', false],
    ['198.51.100.7', 'ipv4', true],
    ['198.51.100.8', 'ipv4', false],
    ['2001:db8:ffff::1', 'ipv6', true],
    ['2001:db9::1', 'ipv6', false],
  ] as const
  for (const [address, family, expected] of cases)
    t.equal(list?.check(address, family), expected, address)
})

t.test('10,000 encoders load, and each key finds its encoder', async (t) => {
  const keys = Array.from({ length: 10_000 }, generateKey)
  const encoders = Object.fromEntries(
    keys.map((key, index) => [
      `encoder-${index}`,
      { keys: [keyOf('k1', key)], allow: ['resolve'] },
    ]),
  )
  const text = JSON.stringify({ encoders }, null, 2)
  const begin = performance.now()
  const { keyring } = settingsFrom(text, '/').snapshot
  const loaded = performance.now()
  const wrong = keys.filter(
    (key, index) => encoderIn(keyring.find(key)).name !== `encoder-${index}`,
  )
  const found = performance.now()
  t.same(wrong, [])
  t.equal(keyring.encoderCount, 10_000)
  const [first = '', last = ''] = [keys.at(0), keys.at(-1)]
  t.equal(
    encoderIn(keyring.find(first)).permissions,
    encoderIn(keyring.find(last)).permissions,
    'encoders that may do the same share one set',
  )
  t.comment(
    `loaded in ${Math.round(loaded - begin)} ms, ${((found - loaded) / 10).toFixed(1)} µs a key`,
  )
})
