/** Pins, and all that goes with them, through a gate in front of a real cluster. */
import { createHash } from 'node:crypto'
import newestAxios from 'axios'
import axios177 from 'axios-1.7.7'
import t, { type Test } from 'tap'
import { Upkeep } from '../../src/ledger/upkeep.js'
import { leaseIdOf } from '../../src/settings/values/lease-id.js'
import { printCid } from '../support/fake-cluster/cids.js'
import { read } from '../support/raw.js'
import { type Answer, startGate, type TestGate } from '../support/start-gate.js'
import { binaries } from './binaries.js'
import { type Login, peername, startCluster } from './cluster-service.js'
import { startKubo } from './kubo.js'
import { eventually, settled } from './settled.js'

t.setTimeout(300_000)
const programs = binaries()

const everyOption = ['replication', 'user-allocations', 'origins', 'pin-update']

/** Not in Kubo, unless a test puts it there. */
const absentContent = 'not there yet'
const absentDigest = createHash('sha256').update(absentContent).digest()
const absent = printCid(Buffer.concat([Buffer.from([1, 0x55, 0x12, 0x20]), absentDigest]))

interface Info {
  readonly cid: string
  readonly name: string
  readonly peer_map: Readonly<Record<string, { status: string; error: string }>>
}

async function start(t: Test, clusterLogin?: Login) {
  const kubo = await startKubo(t, programs.kubo)
  const cluster = await startCluster(t, programs.service, kubo, { login: clusterLogin })
  const gate = await startGate(t, {
    clusterUrl: cluster.url,
    encoders: { operator: { role: 'operator', options: everyOption } },
    ...(clusterLogin && { clusterLogin }),
  })
  return { kubo, cluster, gate }
}

const lines = ({ text }: Answer) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Info)

const statusOf = (info: Info) => Object.values(info.peer_map)[0]?.status

async function status(gate: TestGate, cid: string): Promise<string | undefined> {
  const answer = await gate.ask('GET', `/pins/${cid}`)
  return statusOf(answer.json as Info)
}

const becomes = (gate: TestGate, cid: string, wanted: string) =>
  eventually(`${cid} is ${wanted}`, async () =>
    (await status(gate, cid)) === wanted ? true : undefined,
  )

t.test('a block of Kubo is pinned, listed, found and unpinned through the gate', async (t) => {
  const { kubo, cluster, gate } = await start(t)
  const cid = await kubo.add('a real block')
  const other = await kubo.add('another one', 1)

  const id = await gate.ask('GET', '/id')
  t.equal(id.status, 200)
  t.match(id.json, {
    id: cluster.id,
    version: cluster.version,
    peername,
    cluster_peers: [cluster.id],
    error: '',
    ipfs: { id: kubo.id, error: '' },
  })
  const empty = await gate.ask('GET', '/pins')
  t.equal(empty.status, 204)
  t.equal(await status(gate, cid), 'unpinned')

  const pinned = await gate.ask('POST', `/pins/${cid}?name=n%3C&meta-a=b&expire-in=72h`)
  t.equal(pinned.status, 200)
  t.match(pinned.json, { cid, name: 'n<', metadata: { a: 'b' }, replication_factor_min: -1 })
  await becomes(gate, cid, 'pinned')
  t.equal(await kubo.pinType(cid), 'recursive')

  await gate.ask('POST', `/pins/ipfs/${other}?mode=recursive`)
  await becomes(gate, other, 'pinned')
  const listing = await gate.ask('GET', '/pins')
  t.same(
    lines(listing)
      .map(({ cid }) => cid)
      .sort(),
    [cid, other].sort(),
  )
  t.equal(lines(await gate.ask('GET', '/pins?local=true')).length, 2)
  t.equal(lines(await gate.ask('GET', '/pins?filter=pinned')).length, 2)
  t.equal((await gate.ask('GET', '/pins?filter=error')).status, 204)
  const some = lines(await gate.ask('GET', `/pins?cids=${cid},${absent}`))
  t.same(some.map((info) => [info.cid, statusOf(info)]).sort(), [
    [cid, 'pinned'],
    [absent, 'unpinned'],
  ])
  const spelled = await gate.ask('GET', `/pins/${other.toUpperCase()}`)
  t.equal((spelled.json as Info).cid, other, 'another spelling')

  const recovered = await gate.ask('POST', `/pins/${cid}/recover`)
  t.equal(statusOf(recovered.json as Info), 'pinned', 'nothing to recover')
  for (const gone of [cid, other]) {
    const unpinned = await gate.ask('DELETE', `/pins/${gone}`)
    t.equal(unpinned.status, 200)
    t.match(unpinned.json, { cid: gone })
    await becomes(gate, gone, 'unpinned')
  }
  await settled(cluster.url)
  t.equal(await kubo.pinType(cid), undefined)
  t.equal((await gate.ask('GET', '/pins')).status, 204)
  const again = await gate.ask('DELETE', `/pins/${cid}`)
  t.equal(again.status, 404)
  t.match(again.json, { code: 404, message: 'pin is not part of the pinset' })
})

t.test('leases live in the real state, as they do in the fake one', async (t) => {
  const { kubo, cluster, gate } = await start(t)
  gate.replace({
    clusterUrl: cluster.url,
    enforcement: 'enforce',
    unpin: { graceSeconds: 3600 },
    encoders: { operator: { role: 'operator' } },
  })
  const cid = await kubo.add('a block that two hold', 1)
  const path = `/pins/${cid}`
  const state = async () =>
    (await (await fetch(`${cluster.url}/allocations/${cid}`)).json()) as {
      name: string
      expire_at: string
      metadata: Record<string, string> | null
    }
  const keys = async () => Object.keys((await state()).metadata ?? {}).sort()
  const [alpha, operator] = [leaseIdOf('alpha'), leaseIdOf('operator')]

  t.equal((await gate.ask('POST', `${path}?name=one&meta-k=v&expire-in=72h`)).status, 200)
  t.same(await keys(), ['k', `pinwarden.lease.${alpha}`])
  await becomes(gate, cid, 'pinned')
  const second = await gate.ask('POST', `${path}?name=two`, { as: 'operator' })
  t.equal(second.status, 200)
  t.match(second.json, { name: 'one', expire_at: '0001-01-01T00:00:00Z' })
  t.same(await keys(), ['k', `pinwarden.lease.${alpha}`, `pinwarden.lease.${operator}`].sort())
  t.equal((await gate.ask('DELETE', path)).status, 200)
  t.same(await keys(), ['k', `pinwarden.lease.${operator}`])
  t.equal((await gate.ask('DELETE', path)).status, 403)
  t.equal(await status(gate, cid), 'pinned')

  t.equal((await gate.ask('DELETE', path, { as: 'operator' })).status, 200)
  t.same(await keys(), ['k', `pinwarden.former.${operator}`])
  const left = Date.parse((await state()).expire_at) - Date.now()
  t.ok(left > 3_500_000 && left < 3_700_000, String(left))
  t.equal(await status(gate, cid), 'unpinned', 'to encoders')
  t.equal((await gate.ask('DELETE', path)).status, 404)
  t.equal(await new Upkeep(gate.ledger.changes, gate.ledger.queue).restore(cid), 'restored')
  t.equal(await status(gate, cid), 'pinned')
  t.match((await state()).expire_at, /^0001/)

  t.equal(await gate.ledger.holdings.count(), true)
  t.same(await gate.ledger.holdings.page(operator, undefined, 10), [cid])
  const own = await gate.ask('GET', '/pins?owner=me', { as: 'operator' })
  t.same(
    lines(own).map((info) => [info.cid, statusOf(info)]),
    [[cid, 'pinned']],
  )
})

t.test('a failed pin recovers once its content is available', async (t) => {
  const { kubo, gate } = await start(t)
  t.equal((await gate.ask('POST', `/pins/${absent}`)).status, 200)
  await becomes(gate, absent, 'pin_error')
  const failed = lines(await gate.ask('GET', '/pins?filter=error'))
  t.same(
    failed.map(({ cid }) => cid),
    [absent],
  )
  const all = await gate.ask('POST', '/pins/recover', { as: 'operator' })
  t.equal(all.status, 200)
  t.equal(lines(all)[0]?.cid, absent)
  await becomes(gate, absent, 'pin_error')

  // The content that the CID was made of.
  const cid = await kubo.add(absentContent, 1)
  t.equal(cid, absent)
  t.equal((await gate.ask('POST', `/pins/${absent}/recover`)).status, 200)
  await becomes(gate, absent, 'pinned')
})

t.test('no option that the gate lets through is a bad one to the cluster', async (t) => {
  const { kubo, cluster, gate } = await start(t)
  const cid = await kubo.add('with options')
  const peer = cluster.id
  const queries = [
    'name=&mode=recursive&replication-min=0&replication-max=0&shard-size=0&user-allocations=',
    'name=%00%01%7F%C3%A9%F0%9F%9A%80&meta-%C3%A9=x&meta-a.b=%26',
    'replication=-1',
    'replication=1&user-allocations=12D3KooWG395pxKwfAyFr4uzVdKNTWNXucp3v9yVGucYKZ5PhBC4',
    `user-allocations=${peer},${peer}`,
    'replication=0',
    'replication=%2B1',
    'replication=9999999999999999999',
    ...[
      '2096-02-29T23:59:59Z',
      '2099-01-01T00:00:00.123456789123Z',
      '2099-01-01T00:00:00%2B23:59',
      '2099-01-01T00:00:00%2B24:00',
      '2099-01-01T00:00:00-00:00',
      '9999-12-31T23:59:59Z',
      '9999-12-31T23:59:59-12:00',
      '2099-01-01T24:00:00Z',
      '2099-01-01T23:59:60Z',
      '2099-01-01t00:00:00z',
      '%2B020099-01-01T00:00:00Z',
    ].map((time) => `expire-at=${time}`),
    ...['1s', '1.5h', '.5m', '1h1h', '%2B1h', '2562047h', '2562047h48m', '1500ms', '1e3s', '1h%20']
      .concat(['9223372036.854775807s', '1.0000000000s', '1%C2%B5s1s', '1.h', '0', '-1h'])
      .map((duration) => `expire-in=${duration}`),
    ...['ip4/1.2.3.4/tcp/4001', 'ip6/2001:db8::1/udp/4001/quic-v1', 'dns4/a.example/tcp/1/ws']
      .concat(['dnsaddr/a.example', 'ip4/1.2.3.4', 'ip4/1.2.3.4/udp/1/quic-v1/webtransport'])
      .concat(['ip4/8.8.8.8/tcp/4001', 'ip4/8.8.8.8/udp/4001/quic-v1', 'dns/a.example/tcp/0'])
      .map((address) => `origins=/${address}/p2p/${peer}`),
    `pin-update=${cid}`,
  ]
  let passed = 0
  for (const query of queries) {
    const answer = await gate.ask('POST', `/pins/${cid}?${query}`, { as: 'operator' })
    const line = await gate.line(({ id }) => id === answer.headers.get('x-request-id'))
    if (line.outcome === 'refused') continue
    passed++
    t.equal(line.outcome, 'answered', query)
    t.not(answer.status, 400, query)
    await gate.ask('DELETE', `/pins/${cid}`)
  }
  t.comment(`${passed} of ${queries.length} were let through`)
  t.ok(passed > 10)
})

t.test('trailers pass, with the text of an error or without', async (t) => {
  const { kubo, gate } = await start(t)
  const cid = await kubo.add('listed')
  await gate.ask('POST', `/pins/${cid}`)
  await becomes(gate, cid, 'pinned')
  const { response, text, error } = await read(`${gate.url}/pins`, {
    authorization: gate.basic(),
  })
  t.equal(error, undefined)
  t.equal(response.statusCode, 200)
  t.equal(response.headers.trailer, 'X-Stream-Error')
  t.equal(response.headers['transfer-encoding'], 'chunked')
  t.same(response.trailers, { 'x-stream-error': '' })
  t.match(text, /^{"cid":.*}\n$/)
})

// Their types differ in ways that do not matter here.
const oldAxios = axios177 as unknown as typeof newestAxios

t.test('the encoder’s calls work, with a trailing slash and without', async (t) => {
  const { kubo, cluster, gate } = await start(t)
  const cid = await kubo.add('a video')
  for (const axios of [oldAxios, newestAxios]) {
    for (const slash of ['', '/']) {
      const address = gate.url.replace('//', `//alpha:${gate.keys.alpha ?? ''}@`) + slash
      const id = await axios.get<{ cluster_peers: unknown[] }>(`${address}/id`, { timeout: 10_000 })
      t.match(id.data, { peername, version: cluster.version })
      t.equal(id.data.cluster_peers.length, 1)
      const json = { headers: { 'Content-Type': 'application/json' }, timeout: 30_000 }
      const pinned = await axios.post<{ cid: string }>(`${address}/pins/${cid}`, null, json)
      t.same([pinned.status, pinned.data.cid], [200, cid])
      await becomes(gate, cid, 'pinned')
      const listing = await axios.get<{ cid: string }>(`${address}/pins`, { timeout: 10_000 })
      t.equal(listing.data.cid, cid, 'one line parses as an object')
      const unpinned = await axios.delete(`${address}/pins/${cid}`, json)
      t.equal(unpinned.status, 200)
      await becomes(gate, cid, 'unpinned')
    }
  }
})

t.test('a cluster with its own credential gets it', async (t) => {
  const { gate } = await start(t, { username: 'gate', password: 'between the two' })
  t.match((await gate.ask('GET', '/id')).json, { peername })
  t.equal((await gate.ask('GET', '/pins')).status, 204)
})

t.test('without Kubo the gate shows what the cluster says: much looks well', async (t) => {
  const { kubo, cluster, gate } = await start(t)
  const cid = await kubo.add('kept')
  await gate.ask('POST', `/pins/${cid}`)
  await becomes(gate, cid, 'pinned')
  await kubo.stop()

  const id = await gate.ask('GET', '/id')
  t.equal(id.status, 200)
  t.match(id.json, { peername, error: '', ipfs: { addresses: null, error: /connection refused/ } })
  t.equal((await gate.ask('GET', '/pins')).status, 204, 'looks like an empty cluster')
  const local = await gate.ask('GET', '/pins?local=true')
  t.equal(local.status, 500)
  t.match(local.json, { code: 500, message: /^could not get pinset from IPFS: / })
  t.equal(await status(gate, cid), 'cluster_error')
  const pinned = await gate.ask('POST', `/pins/${absent}`)
  t.equal(pinned.status, 200)
  t.match(pinned.json, { cid: absent })
  t.equal((await gate.ask('DELETE', `/pins/${cid}`)).status, 200)
  t.match(await (await fetch(`${cluster.url}/allocations`)).text(), absent)
})
