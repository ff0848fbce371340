/** What the cluster gets is rebuilt from parts: one spelling of everything, and nothing unknown. */
import { base64url } from 'multiformats/bases/base64'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import t from 'tap'
import * as parsers from '../../../src/gate/authorize/pin-request.js'
import { encodeQuery } from '../../../src/cluster/query.js'
import { cidOf, type Plan } from '../../../src/gate/plan.js'
import { BadRequest } from '../../../src/gate/refusals.js'
import { readTarget } from '../../../src/gate/target.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const cidV1 = CID.parse(cid).toV1().toString()
const upper = cidV1.toUpperCase()

const read = {
  id: parsers.idRequest,
  status: parsers.statusRequest,
  pins: parsers.pinsRequest,
  pin: parsers.pinRequest,
  unpin: parsers.unpinRequest,
  recover: parsers.recoverRequest,
  recoverAll: parsers.recoverAllRequest,
  pinPath: parsers.pinPathRequest,
  unpinPath: parsers.unpinPathRequest,
}
type RouteName = keyof typeof read
type Case = readonly [route: RouteName, url: string, expected: string]

/** What the plan asks the cluster, as a request target, or the refusal: `reason: message`. */
function sent(route: RouteName, url: string): string {
  try {
    return targetOf(planned(route, url))
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    return `${error.reason}: ${error.message}`
  }
}

/** Of a pin, what it asks for before the leases are added. */
function targetOf(plan: Plan): string {
  if ('call' in plan) return target(plan.call.path, plan.call.query)
  if (plan.kind === 'listing') return target('/pins', plan.query)
  if (plan.kind === 'pin') return target(`/pins/${plan.cid}`, encodeQuery(plan.options))
  if (plan.kind === 'path') return target(plan.path, encodeQuery(plan.options))
  return plan.kind === 'unpin' ? `/pins/${plan.cid}` : plan.kind
}

const target = (path: string, query: string): string => (query === '' ? path : `${path}?${query}`)

function planned(route: RouteName, url: string): Plan {
  const { segments, query } = readTarget(url)
  if (query instanceof BadRequest) throw query
  return read[route]({ segments, query, granted: new Set() })
}

const badCid = 'bad-cid: error decoding Cid: invalid cid'

t.test('every route sends its canonical request', async (t) => {
  const cases: Case[] = [
    ['id', '//id/', '/id'],
    ['status', `/pins/${cid}`, `/pins/${cid}`],
    ['status', `/pins/z${cid}`, `/pins/${cid}`],
    ['status', `/pins/${upper}?local=true`, `/pins/${cidV1}?local=true`],
    ['pins', '/pins', '/pins'],
    ['pin', `/pins/%51${cid.slice(1)}`, `/pins/${cid}`],
    ['pin', `/pins/ipfs/${upper}`, `/pins/${cidV1}`],
    ['pin', `/pins/${cid}?name=a+b&meta-%26=%3D`, `/pins/${cid}?name=a%20b&meta-%26=%3D`],
    ['unpin', `/pins/${cid}/`, `/pins/${cid}`],
    ['unpin', `/pins/ipfs/${upper}`, `/pins/${cidV1}`],
    ['recover', `/pins/${upper}/recover?local=true`, `/pins/${cidV1}/recover?local=true`],
    ['recoverAll', '/pins/recover?local=true', '/pins/recover?local=true'],
    ['pinPath', `/pins/ipfs/${upper}/a%20b?name=x`, `/pins/ipfs/${cidV1}/a%20b?name=x`],
    ['pinPath', '/pins/ipns/docs.example/a', '/pins/ipns/docs.example/a'],
    ['unpinPath', `/pins/ipld/${upper}/%252F`, `/pins/ipld/${cidV1}/%252F`],
  ]
  for (const [route, url, expected] of cases) t.equal(sent(route, url), expected, url)
})

t.test('what ipfs-cluster-ctl sends is accepted', async (t) => {
  const options =
    'mode=recursive&name=&replication-max=0&replication-min=0&shard-size=0&user-allocations='
  const cases: Case[] = [
    ['pin', `/pins/ipfs/${cid}?${options}`, `/pins/${cid}?mode=recursive`],
    ['unpin', `/pins/ipfs/${cid}`, `/pins/${cid}`],
    ['status', `/pins/${cid}?local=false`, `/pins/${cid}`],
    ['pins', '/pins?local=false&filter=&cids=', '/pins'],
    ['pins', `/pins?local=false&filter=&cids=${cid},${upper}`, `/pins?cids=${cid}%2C${cidV1}`],
    ['recover', `/pins/${cid}/recover?local=false`, `/pins/${cid}/recover`],
    ['recoverAll', '/pins/recover?local=false', '/pins/recover'],
  ]
  for (const [route, url, expected] of cases) t.equal(sent(route, url), expected, url)
})

t.test('the CID of a request is known when it is about exactly one', async (t) => {
  for (const [route, url] of [
    ['status', `/pins/${upper}`],
    ['pin', `/pins/${upper}`],
    ['pin', `/pins/ipfs/${upper}`],
    ['unpin', `/pins/ipfs/${upper}`],
    ['recover', `/pins/${upper}/recover`],
  ] as const) {
    t.equal(cidOf(planned(route, url)), cidV1, url)
  }
  for (const [route, url] of [
    ['pins', `/pins?cids=${cid}`],
    ['pinPath', `/pins/ipfs/${cid}/a`],
  ] as const) {
    t.equal(cidOf(planned(route, url)), undefined, url)
  }
})

t.test('a malformed CID is refused on every route that takes one', async (t) => {
  for (const text of [
    'recover',
    'ipfs',
    'ipns',
    'x',
    `${cid}1`,
    cid.toLowerCase(),
    `${cidV1}%20`,
  ]) {
    for (const route of ['status', 'pin', 'unpin', 'recover'] as const) {
      t.equal(sent(route, `/pins/${text}`), badCid, `${route} ${text}`)
    }
    t.equal(sent('pin', `/pins/ipfs/${text}`), badCid, text)
    t.equal(sent('pinPath', `/pins/ipfs/${text}/a`), badCid, text)
    t.equal(sent('unpinPath', `/pins/ipld/${text}/a`), badCid, text)
    t.equal(sent('pins', `/pins?cids=${cid},${text}`), badCid, text)
  }
})

t.test('an unknown parameter is refused on every route', async (t) => {
  const urls = {
    id: '/id',
    status: `/pins/${cid}`,
    pins: '/pins',
    pin: `/pins/${cid}`,
    unpin: `/pins/${cid}`,
    recover: `/pins/${cid}/recover`,
    recoverAll: '/pins/recover',
    pinPath: `/pins/ipfs/${cid}/a`,
    unpinPath: `/pins/ipfs/${cid}/a`,
  } as const
  for (const route of Object.keys(read) as RouteName[]) {
    const takesLocal = ['status', 'pins', 'recover', 'recoverAll'].includes(route)
    const takesOptions = route === 'pin' || route === 'pinPath'
    const names = ['x', 'Local', ...(takesLocal ? [] : ['local'])]
    if (!takesOptions) names.push('name', 'replication', 'expire-in', 'meta-a')
    if (route !== 'pins') names.push('filter', 'cids')
    for (const name of names) {
      const refusal = `bad-option: unknown parameter "${name}"`
      t.equal(sent(route, `${urls[route]}?${name}=true`), refusal, `${route} ${name}`)
    }
    if (takesLocal) {
      const refusal = 'bad-query: parameter local invalid'
      for (const value of ['TRUE', '1', 'yes']) {
        t.equal(sent(route, `${urls[route]}?local=${value}`), refusal, `${route} ${value}`)
      }
    }
  }
})

t.test('one request may ask about a hundred CIDs, in any spelling, and no more', async (t) => {
  const cids = Array.from({ length: 101 }, (_none, i) =>
    CID.createV1(0x55, create(0x12, new Uint8Array(32).fill(i))),
  )
  const query = (count: number): string =>
    `/pins?cids=${cids
      .slice(0, count)
      .map((one) => base64url.encode(one.bytes))
      .join(',')}`
  const canonical = cids.slice(0, 100).map(String).join('%2C')
  t.equal(sent('pins', query(100)), `/pins?cids=${canonical}`)
  t.equal(sent('pins', query(101)), 'bad-query: more than 100 cids')
  for (const bad of [',', `${cid},`, `,${cid}`, `${cid},,${cid}`, `${cid}, ${cid}`]) {
    t.equal(sent('pins', `/pins?cids=${encodeURIComponent(bad)}`), badCid, bad)
  }
})

t.test('a filter of known states is forwarded, and dropped if there are cids', async (t) => {
  const refusal = 'bad-query: invalid filter value'
  const cases: Case[] = [
    ['pins', '/pins?filter=pinned', '/pins?filter=pinned'],
    ['pins', '/pins?filter=error,+queued&local=true', '/pins?filter=error%2Cqueued&local=true'],
    ['pins', `/pins?filter=nonsense&cids=${cid}&local=true`, `/pins?cids=${cid}&local=true`],
    ...['all', 'undefined', 'PINNED', 'pinned,nonsense', 'pinned,', ',', '+'].map(
      (filter): Case => ['pins', `/pins?filter=${filter}`, refusal],
    ),
  ]
  for (const [route, url, expected] of cases) t.equal(sent(route, url), expected, url)
})

t.test('asking about a few pins needs status; walking the pinset needs list', async (t) => {
  const cheap = ['cluster_error', 'pin_error', 'unpin_error', 'error', 'pinning', 'unpinning']
  cheap.push('unpinned', 'pin_queued', 'unpin_queued', 'queued')
  const costly = ['pinned', 'remote', 'sharded', 'unexpectedly_unpinned', 'all', 'nonsense', ',']
  const cases = {
    '': 'list',
    'local=true': 'list',
    'local=false&filter=&cids=': 'list',
    [`cids=${cid}`]: 'status',
    [`cids=${cid}&filter=pinned`]: 'status',
    [`filter=${cheap.join(',+')}`]: 'status',
    'filter=error,pinned': 'list',
    ...Object.fromEntries(cheap.map((state) => [`filter=${state}`, 'status'])),
    ...Object.fromEntries(costly.map((state) => [`filter=${state}`, 'list'])),
  }
  for (const [raw, permission] of Object.entries(cases)) {
    const { query } = readTarget(`/pins?${raw}`)
    if (query instanceof BadRequest) throw query
    t.equal(parsers.isListing(query), permission === 'list', raw)
  }
})

t.test('a path to resolve needs a root, and has a bounded length', async (t) => {
  t.equal(sent('pinPath', '/pins/ipns/'), 'bad-path: malformed path')
  t.equal(sent('pinPath', `/pins/ipfs/${cid}${'/a'.repeat(64)}`).length > 64, true)
  t.equal(sent('pinPath', `/pins/ipfs/${cid}${'/a'.repeat(65)}`), 'bad-path: malformed path')
})

t.test('name and metadata leave room for other holders, also with a path', async (t) => {
  const query = (count: number): string =>
    Array.from({ length: count }, (_none, i) => `meta-${i}=${'v'.repeat(1000)}`).join('&')
  const room = 'other holders of the pin need room'
  const tooLong = `options-too-long: name, metadata and options are too long: ${room}`
  for (const [route, path] of [
    ['pin', `/pins/${cid}`],
    ['pinPath', `/pins/ipfs/${cid}/a`],
  ] as const) {
    t.match(sent(route, `${path}?${query(4)}`), path)
    t.equal(sent(route, `${path}?${query(5)}`), tooLong)
    t.equal(sent(route, `${path}?meta-a=${'%C3%A9'.repeat(500)}&${query(2)}`), tooLong)
  }
})
