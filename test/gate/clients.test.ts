/** The clients that there are, unmodified: each against a gate, with what the cluster received. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Cluster } from '@nftstorage/ipfs-cluster'
import newestAxios from 'axios'
import axios177 from 'axios-1.7.7'
import t from 'tap'
import { askedOf } from '../support/asked.js'
import { startGate, type TestGate } from '../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

/** What `keys add` prints, as it stands in an encoder's `.env`. */
const endpointOf = (gate: TestGate) => gate.url.replace('//', `//alpha:${gate.keys.alpha ?? ''}@`)

const targets = (gate: TestGate) => askedOf(gate.cluster)

// Their types differ in ways that do not matter here.
const oldAxios = axios177 as unknown as typeof newestAxios

for (const [name, axios] of [
  ['1.7.7', oldAxios],
  ['the newest', newestAxios],
] as const) {
  for (const slash of ['', '/']) {
    t.test(
      `the encoder's calls work with axios ${name}, endpoint ending in "${slash}"`,
      async (t) => {
        const gate = await startGate(t)
        const endpoint = endpointOf(gate) + slash

        const id = await axios.get<{ cluster_peers: unknown[] }>(`${endpoint}/id`, {
          timeout: 10_000,
        })
        t.match(id.data, { peername: String, version: String })
        t.equal(id.data.cluster_peers.length, 1)

        const json = { headers: { 'Content-Type': 'application/json' }, timeout: 30_000 }
        const pinned = await axios.post<{ cid: string }>(`${endpoint}/pins/${cid}`, null, json)
        t.equal(pinned.status, 200)
        t.equal(pinned.data.cid, cid)
        t.ok(gate.cluster.pins.has(cid), 'it is pinned at the cluster')

        const status = await axios.get<{ cid: string }>(`${endpoint}/pins/${cid}`)
        t.equal(status.data.cid, cid)
        const listing = await axios.get<{ cid: string }>(`${endpoint}/pins`, { timeout: 10_000 })
        t.equal(listing.data.cid, cid, 'one line parses as an object')

        const unpinned = await axios.delete(`${endpoint}/pins/${cid}`, json)
        t.equal(unpinned.status, 200)
        t.notOk(gate.cluster.pins.has(cid), 'it is gone from the cluster')
        t.same(targets(gate), [
          'GET /id',
          `POST /pins/${cid}`,
          `GET /pins/${cid}`,
          'GET /pins',
          `DELETE /pins/${cid}`,
        ])
      },
    )
  }

  t.test(`axios ${name} reads a refusal: status, reason phrase and message`, async (t) => {
    const gate = await startGate(t)
    const endpoint = gate.url.replace('//', '//alpha:wrong@')
    const post = axios.post(`${endpoint}/pins/${cid}`, null)
    const error = (await post.then(
      () => undefined,
      (reason: unknown) => reason,
    )) as { response?: { status: number; statusText: string; data: unknown } } | undefined
    t.match(error?.response, {
      status: 401,
      statusText: 'Unauthorized',
      data: { code: 401, message: 'unauthorized: access denied' },
    })
    t.equal(gate.cluster.requests.length, 0)
  })
}

t.test('@nftstorage/ipfs-cluster works: id, pin, status, status of many, unpin', async (t) => {
  const gate = await startGate(t)
  const cluster = new Cluster(gate.url, { headers: { authorization: gate.basic() } })
  t.match(await cluster.info(), { peerName: String })
  t.match(await cluster.pin(cid, { name: 'a name', metadata: { k: 'v' } }), { cid })
  t.ok(gate.cluster.pins.has(cid))
  t.match(await cluster.status(cid), { cid })
  const [many] = (await cluster.statusAll({ cids: [cid] })) as { cid: string }[]
  t.equal(many?.cid, cid)
  await cluster.recover(cid)
  await cluster.unpin(cid)
  t.notOk(gate.cluster.pins.has(cid))
  t.comment(targets(gate))
})

t.test('curl works with credentials in the URL, over TLS', async (t) => {
  const gate = await startGate(t, { tls: true })
  const curl = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)('curl', ['-sSk', ...args])
    return JSON.parse(stdout) as object
  }
  t.match(await curl(`${endpointOf(gate)}/id`), { peername: String })
  t.match(await curl('-X', 'POST', `${endpointOf(gate)}/pins/${cid}`), { cid })
  t.ok(gate.cluster.pins.has(cid))
})

t.test('what ipfs-cluster-ctl sends works: id, pin add, status, pin rm, recover', async (t) => {
  const gate = await startGate(t)
  const options =
    'mode=recursive&name=&replication-max=0&replication-min=0&shard-size=0&user-allocations='
  const sent: [string, string][] = [
    ['GET', '/id'],
    ['POST', `/pins/ipfs/${cid}?${options}`],
    ['GET', `/pins/${cid}?local=false`],
    ['GET', `/pins?local=false&filter=&cids=${cid},${cid}`],
    ['GET', '/pins?local=false&filter=&cids='],
    ['POST', `/pins/${cid}/recover?local=false`],
    ['DELETE', `/pins/ipfs/${cid}`],
  ]
  for (const [method, path] of sent) {
    const answer = await gate.ask(method, path, { headers: { 'user-agent': 'Go-http-client/1.1' } })
    t.equal(answer.status, 200, `${method} ${path}`)
  }
  t.notOk(gate.cluster.pins.has(cid))
})

t.test('a request for allocations, as by ctl, gets a hint which request to use', async (t) => {
  const gate = await startGate(t)
  const { status, json } = await gate.ask('GET', `/allocations/${cid}`)
  t.equal(status, 404)
  t.match(json, { message: /says nothing of whether it is pinned.*ipfs-cluster-ctl status/ })
})
