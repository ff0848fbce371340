/** The cluster answers a bad pin option with 400 and still pins, so none may reach it. */
import { CID } from 'multiformats/cid'
import t from 'tap'
import { readPinOptions } from '../../../src/gate/authorize/pin-options.js'
import { wholeSeconds } from '../../../src/leases/lease.js'
import { BadRequest } from '../../../src/gate/refusals.js'
import { readTarget } from '../../../src/gate/target.js'
import { type OptionGrant, optionGrants } from '../../../src/settings/values/permissions.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const cidV1 = CID.parse(cid).toV1().toString()
const id = '12D3KooWG395pxKwfAyFr4uzVdKNTWNXucp3v9yVGucYKZ5PhBC4'
const origin = `/ip4/203.0.113.10/tcp/4001/p2p/${id}`
const all = new Set(optionGrants)

/** What is sent on for a query, as `name=value`, or the refusal: `reason: message`. */
function read(query: string, granted: ReadonlySet<OptionGrant> = all): string[] | string {
  const target = readTarget(`/pins/${cid}?${query}`)
  if (target.query instanceof BadRequest) throw target.query
  try {
    const { options, untilMs } = readPinOptions(target.query, granted)
    const expiry = untilMs === Infinity ? [] : [`until=${wholeSeconds(untilMs)}`]
    return [...options.map((option) => option.join('=')), ...expiry]
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    return `${error.reason}: ${error.message}`
  }
}

const times = (count: number, item: (i: number) => string): string =>
  Array.from({ length: count }, (_none, i) => item(i)).join(',')

t.test('a valid option is sent on', async (t) => {
  const cases = {
    'name=a+b%26c': 'name=a b&c',
    'mode=recursive': 'mode=recursive',
    'replication=2': 'replication=2',
    'replication=-1': 'replication=-1',
    'replication-min=007': 'replication-min=7',
    'replication-max=3': 'replication-max=3',
    'expire-at=2999-12-31T23:59:58.1Z': 'until=2999-12-31T23:59:59Z',
    'meta-Owner=me': 'meta-Owner=me',
    'meta-%C3%A9=%F0%9F%9A%80': 'meta-é=🚀',
    [`pin-update=${cid}`]: `pin-update=${cid}`,
    [`pin-update=${cidV1.toUpperCase()}`]: `pin-update=${cidV1}`,
    [`user-allocations=${id},${id}`]: `user-allocations=${id},${id}`,
    [`origins=${origin}`]: `origins=${origin}`,
  }
  for (const [query, sent] of Object.entries(cases)) t.same(read(query), [sent], query)
})

t.test('an empty value counts as absent, for every option and without any grant', async (t) => {
  const names = ['name', 'mode', 'replication', 'replication-min', 'replication-max', 'shard-size']
  const more = ['user-allocations', 'expire-at', 'expire-in', 'meta-a', 'pin-update', 'origins']
  for (const name of [...names, ...more]) t.same(read(`${name}=`, new Set()), [], name)
})

t.test('what ipfs-cluster-ctl always sends needs no grant', async (t) => {
  const query =
    'mode=recursive&name=&replication-max=0&replication-min=0&shard-size=0&user-allocations='
  t.same(read(query, new Set()), ['mode=recursive'])
})

t.test('zeros count as absent', async (t) => {
  const names = ['replication', 'replication-min', 'replication-max', 'shard-size']
  for (const name of names) t.same(read(`${name}=0`, new Set()), [], name)
})

t.test(
  'an option that affects more than the pin must be granted, even if its value is bad',
  async (t) => {
    const cases = {
      [`origins=${origin}`]: 'origins',
      'origins=bad': 'origins',
      [`user-allocations=${id}`]: 'user-allocations',
      [`pin-update=${cid}`]: 'pin-update',
      'replication=1': 'replication',
      'replication-min=1': 'replication',
      'replication-max=-1': 'replication',
      'replication-min=x': 'replication',
    } as const
    for (const [query, grant] of Object.entries(cases)) {
      const others = new Set(optionGrants.filter((other) => other !== grant))
      t.match(
        read(query, others),
        /^option-not-granted: forbidden: option not granted to this encoder: [a-z-]+$/,
        query,
      )
      t.notMatch(read(query, new Set([grant])), /^option-not-granted/, query)
    }
  },
)

t.test('a bad value is refused by name', async (t) => {
  const cases = {
    name: ['x'.repeat(513), 'é'.repeat(257)],
    mode: ['direct', 'Recursive', 'RECURSIVE', 'x'],
    'shard-size': ['1', '-0', '00', '0x0', '262144000'],
    replication: ['-2', '1.5', '1e3', '0x1', 'x', '-0', '00', '-', '12345', '+1', ' 1'],
    'replication-min': ['-2', 'x', '٣', '-01x'],
    'replication-max': ['-2', 'x', 'NaN', '1,2'],
    'user-allocations': [
      'x',
      `${id},`,
      `,${id}`,
      `${id},,${id}`,
      `${id}, ${id}`,
      times(33, () => id),
    ],
    'pin-update': ['x', 'Qm', `${cid},${cid}`, `/ipfs/${cid}`],
    origins: ['x', `${origin},`, '/ip4/203.0.113.10/tcp/4001', times(11, () => origin)],
  }
  for (const [name, values] of Object.entries(cases)) {
    for (const value of values) {
      const query = `${name}=${encodeURIComponent(value)}`
      t.match(read(query), new RegExp(`^bad-option: parameter ${name} invalid`), query.slice(0, 60))
    }
  }
})

t.test('no control character gets into a name or metadata', async (t) => {
  for (const character of ['\x00', '\x07', '\r', '\n', '\x1b', '\x7f', '\x9b']) {
    const value = encodeURIComponent(`a${character}b`)
    t.equal(read(`name=${value}`), 'bad-option: parameter name invalid')
    t.equal(read(`meta-k=${value}`), 'bad-option: parameter "meta-k" invalid')
    t.match(read(`meta-${value}=v`), /^bad-option: parameter "meta-a[^]*" invalid$/)
  }
  t.same(read(`name=${encodeURIComponent('größe ✓')}`), ['name=größe ✓'])
})

t.test('lists, names and metadata are accepted up to their bounds', async (t) => {
  const queries = [
    `user-allocations=${times(32, () => id)}`,
    `origins=${times(10, () => origin)}`,
    `name=${'x'.repeat(512)}`,
    `meta-${'k'.repeat(128)}=${'v'.repeat(1024)}`,
  ]
  for (const query of queries) t.equal(read(query).length, 1, query.slice(0, 40))
  const entries = (count: number): string => times(count, (i) => `meta-${i}=x`).replaceAll(',', '&')
  t.equal(read(entries(32)).length, 32)
  t.equal(read(entries(33)), 'bad-option: too many metadata entries')
})

t.test('metadata without a key, or past its bounds, is refused', async (t) => {
  const long = 'k'.repeat(129)
  const cases = {
    'meta-=x': 'parameter "meta-" invalid: a key has 1 to 128 bytes',
    [`meta-${long}=x`]: `parameter "meta-${long.slice(0, 59)}" invalid: a key has 1 to 128 bytes`,
    [`meta-a=${'v'.repeat(1025)}`]: 'parameter "meta-a" invalid: at most 1024 bytes',
    [`meta-a=${'%C3%A9'.repeat(513)}`]: 'parameter "meta-a" invalid: at most 1024 bytes',
    [`name=${long.repeat(4)}`]: 'parameter name invalid: at most 512 bytes',
  }
  for (const [query, message] of Object.entries(cases)) {
    t.equal(read(query), `bad-option: ${message}`, query.slice(0, 40))
  }
})

t.test('an unknown option is refused for every encoder', async (t) => {
  const names = ['x', 'local', 'filter', 'cids', 'Name', 'MODE', 'meta', 'Meta-a', 'expire_in']
  for (const name of [...names, 'recursive', 'no-pin', 'type', 'max-depth', ' name', 'name ']) {
    const query = `${encodeURIComponent(name)}=1`
    t.equal(read(query), `bad-option: unknown parameter ${JSON.stringify(name)}`)
  }
  t.equal(read('name=ok&x=1'), 'bad-option: unknown parameter "x"', 'beside a good one')
})

t.test('replication that the cluster would refuse later is refused here', async (t) => {
  const message = 'bad-option: replication-min is larger than replication-max'
  const cases = {
    'replication-min=1&replication-max=2': ['replication-min=1', 'replication-max=2'],
    'replication-min=2&replication-max=2': ['replication-min=2', 'replication-max=2'],
    'replication-min=-1&replication-max=-1': ['replication-min=-1', 'replication-max=-1'],
    'replication-min=1&replication-max=0': ['replication-min=1'],
    'replication-max=2&replication-min=0': ['replication-max=2'],
    'replication-min=3&replication-max=2': message,
    'replication-min=-1&replication-max=2': message,
    'replication-min=2&replication-max=-1': message,
    'replication=0&replication-min=3&replication-max=1': message,
    // It overrides both, with the cluster too.
    'replication=2&replication-min=3': ['replication=2', 'replication-min=3'],
  }
  for (const [query, expected] of Object.entries(cases)) t.same(read(query), expected, query)
})

t.test('an expiry has a zone, is in the future, and can be read by Go', async (t) => {
  const offsets = ['Z', '+00:00', '-23:59', '+05:30']
  const good = offsets.map((zone) => `2999-02-28T00:00:00.123456789${zone}`)
  for (const at of [...good, '2096-02-29T00:00:00Z', '9999-12-31T23:59:59Z']) {
    const until = wholeSeconds(Math.ceil(Date.parse(at) / 1000) * 1000)
    t.same(read(`expire-at=${encodeURIComponent(at)}`), [`until=${until}`])
  }
  const dates = ['2999-13-01', '2999-00-01', '2999-01-00', '2999-01-32', '2999-02-30', '2999-02-29']
  const bad = [...dates, '2999-04-31', '29999-01-01'].map((date) => `${date}T00:00:00Z`)
  const clocks = [
    '24:00:00Z',
    '23:60:00Z',
    '23:59:60Z',
    '1:00:00Z',
    '00:00Z',
    '00:00:00',
    '00:00:00z',
  ]
  const zones = ['00:00:00+24:00', '00:00:00+0200', '00:00:00+02', '00:00:00 02:00', '00:00:00UTC']
  bad.push(
    ...[...clocks, ...zones, '00:00:00.Z', '00:00:00,5Z'].map((clock) => `2999-01-01T${clock}`),
  )
  bad.push(
    '2999-01-01',
    '2999-01-01 00:00:00Z',
    '32503680000',
    'tomorrow',
    '9999-12-31T23:59:59-01:00',
  )
  for (const at of bad) {
    t.equal(
      read(`expire-at=${encodeURIComponent(at)}`),
      'bad-option: parameter expire-at invalid',
      at,
    )
  }
  const justNow = new Date(Date.now() - 1000).toISOString()
  t.same(read('expire-at=0001-01-01T00:00:00Z'), read(''), 'the zero time of Go is none')
  for (const at of [justNow, '1970-01-01T00:00:00Z', '0001-01-01T00:00:01Z']) {
    t.equal(read(`expire-at=${at}`), 'bad-option: expire-at is in the past', at)
  }
})

t.test('a time to live is a Go duration of a second or more', async (t) => {
  const hourMs = 3_600_000
  const good: Readonly<Record<string, number>> = {
    '1s': 1000,
    '72h': 72 * hourMs,
    '1h30m': 1.5 * hourMs,
    '1.5h': 1.5 * hourMs,
    '1.h': hourMs,
    '.5h': hourMs / 2,
    '1000ms': 1000,
    '0h1s': 1000,
    '1h1h': 2 * hourMs,
    '2562047h': 2_562_047 * hourMs,
    '1000000us': 1000,
    '1000000µs': 1000,
    '1000000μs': 1000,
    '1000000000ns': 1000,
    '1m0.000000001s': 60_000,
  }
  for (const [span, ms] of Object.entries(good)) {
    const before = Date.now()
    const [text = ''] = read(`expire-in=${encodeURIComponent(span)}`)
    const leftMs = Date.parse(text.replace('until=', '')) - before
    t.ok(leftMs >= ms && leftMs < ms + 5000, `${span}: ${text}`)
  }
  const short = ['999ms', '0s', '0.5s', '.9s', '999999999ns', '0.999999999s', '999.999999999ms']
  for (const span of [...short, '999999999.999999999ns', '0.5s499999.999999999us']) {
    t.equal(read(`expire-in=${span}`), 'bad-option: expire-in duration too short', span)
  }
  const words = [
    '1d',
    '1w',
    '1y',
    '1h30',
    '72',
    'h',
    '.h',
    '.',
    'forever',
    '1H',
    '1 h',
    '1h 30m',
    ' 1h',
  ]
  const forms = ['-1h', '+1h', '1e3s', '1,5h', '1..5h', '1.5.5h', '0x1h', '1hs', 'PT1H', '٣h']
  const huge = [
    '2562048h',
    '9223372036854775808ns',
    '9223372036s854775808ns',
    `${'9'.repeat(400)}h`,
  ]
  // Go would read this as a nanosecond less than a second, and a double as a second.
  const fine = ['0.99999999999999999999s', '1.0000000000s']
  for (const span of [...words, ...forms, ...huge, ...fine]) {
    const answer = read(`expire-in=${encodeURIComponent(span)}`)
    t.equal(answer, 'bad-option: parameter expire-in invalid', span.slice(0, 40))
  }
})
