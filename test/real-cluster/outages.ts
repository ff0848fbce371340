/** A real cluster of two peers that fail, one and both, and a gate in front that loses no pin. */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { plainWords } from '../../src/tracking/track-pins.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { leaseIdOf } from '../../src/settings/values/lease-id.js'
import { startDaemon } from '../support/daemon.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { pinwarden } from '../support/pinwarden.js'
import { type Overrides, startGate, type TestGate } from '../support/start-gate.js'
import { binaries } from './binaries.js'
import { type RealCluster, startCluster } from './cluster-service.js'
import { type Kubo, startKubo } from './kubo.js'
import { temporaryFolder } from './processes.js'
import { eventually } from './settled.js'

t.setTimeout(300_000)
const programs = binaries()
const health = { intervalMs: 1000, timeoutMs: 500 }

interface PinInfo {
  readonly peer_map: Readonly<Record<string, { status: string; error: string }>>
}

/** Two peers of one cluster, each with a Kubo of its own. */
async function startPeers(t: Test) {
  const kubos = [await startKubo(t, programs.kubo), await startKubo(t, programs.kubo)] as const
  const one = await startCluster(t, programs.service, kubos[0])
  const two = await startCluster(t, programs.service, kubos[1], { joins: one })
  /** Content that both Kubos have. */
  const add = async (content: string) => {
    for (const kubo of kubos) await kubo.add(content, 1)
    return kubos[0].add(content, 1)
  }
  return { kubos, one, two, add }
}

const startBefore = (t: Test, peers: readonly RealCluster[], overrides: Overrides = {}) =>
  startGate(t, {
    ...{ enforcement: 'enforce', onOutage: 'journal' },
    ...overrides,
    cluster: { endpoints: peers.map(({ url }) => ({ url })), health, writeTimeoutMs: 3000 },
  })

const isUp = (gate: TestGate, { url }: RealCluster, state: string) =>
  eventually(`${url} is ${state}`, () => {
    const report = gate.endpoints.find(({ name }) => url.endsWith(name))
    return Promise.resolve(report?.state === state ? true : undefined)
  })

/** Both peers say so themselves. */
const isPinnedEverywhere = async (gate: TestGate, cid: string) => {
  const pinned = await eventually(`${cid} is pinned at both peers`, async () => {
    const { status, json } = await gate.ask('GET', `/pins/${cid}`)
    if (status !== 200) return undefined
    const statuses = Object.values((json as PinInfo).peer_map).map((peer) => peer.status)
    return statuses.length === 2 && statuses.every((one) => one === 'pinned') ? true : undefined
  })
  return pinned
}

const hasLease = async ({ url }: RealCluster, cid: string, encoder: string) => {
  const answer = await fetch(`${url}/allocations/${cid}`)
  const { metadata } = (await answer.json()) as { metadata?: Record<string, string> | null }
  return `pinwarden.lease.${leaseIdOf(encoder)}` in (metadata ?? {})
}

t.test('one peer of two is killed, then the other hangs, and clients do not notice', async (t) => {
  const { one, two, add } = await startPeers(t)
  const gate = await startBefore(t, [one, two])
  const cids: string[] = []
  const pin = async (content: string) => {
    const cid = await add(content)
    cids.push(cid)
    return (await gate.ask('POST', `/pins/${cid}?name=${content}`)).status
  }
  const read = async () => (await gate.ask('GET', `/pins/${cids[0] ?? ''}`)).status
  t.equal(await pin('healthy'), 200)
  for (const cid of cids) await isPinnedEverywhere(gate, cid)

  await one.kill()
  t.equal(await read(), 200)
  t.equal(await pin('killed'), 200, 'the connection was refused: nothing had been sent')
  await isUp(gate, one, 'down')
  t.equal(await read(), 200)
  await one.comeBack(two)
  await isUp(gate, one, 'up')
  for (const cid of cids) await isPinnedEverywhere(gate, cid)

  two.freeze()
  t.equal(await pin('hangs'), 200, 'who holds it was asked of one, then of the other')
  await isUp(gate, two, 'down')
  t.equal(await read(), 200)
  t.equal(await pin('hung'), 200)
  two.thaw()
  await isUp(gate, two, 'up')
  for (const cid of cids) {
    await isPinnedEverywhere(gate, cid)
    for (const peer of [one, two]) t.ok(await hasLease(peer, cid, 'alpha'), cid)
  }
})

t.test('with the whole cluster killed, pins wait on the disk, and none is forgotten', async (t) => {
  const { one, two, add, kubos } = await startPeers(t)
  const spare = await startKubo(t, programs.kubo)
  const url = `http://127.0.0.1:${spare.port}`
  const gate = await startBefore(t, [one, two], { fallback: { kubo: { url, release: true } } })
  const before = await add('pinned before')
  t.equal((await gate.ask('POST', `/pins/${before}`)).status, 200)
  await isPinnedEverywhere(gate, before)

  await Promise.all([one.kill(), two.kill()])
  const cid = await add('pinned meanwhile')
  t.equal(await spare.add('pinned meanwhile', 1), cid)
  const absent = 'bafkreiabx4gm5u62y6bc6mt6rdhjx4e37tsjxmvzl7a3dbklo46pwp6vgm'
  for (const each of [cid, absent]) {
    t.equal((await gate.ask('POST', `/pins/${each}?name=later`)).status, 202)
    const { status, json } = await gate.ask('GET', `/pins/${each}`)
    t.equal(status, 200)
    t.match(Object.values((json as PinInfo).peer_map), [{ status: 'pin_queued' }])
  }
  for (const each of [before, cid])
    t.ok([502, 503].includes((await gate.ask('DELETE', `/pins/${each}`)).status), each)
  await isUp(gate, one, 'down')
  await isUp(gate, two, 'down')
  t.equal((await gate.ask('GET', `/pins/${before}`)).status, 503)
  t.match(await gate.logged('pinned at the fallback'), { cid })
  t.equal(await spare.pinType(cid), 'recursive')

  await one.comeBack()
  await two.comeBack(one)
  await gate.logged('emptied the journal: every pin was replayed or dropped')
  const lacked = 'the cluster lacked leases that this gate wrote; pinned again'
  t.match(await gate.logged(lacked), { cid: before })
  t.match(await gate.pinEvent((event) => event.cid === cid), { result: 'pinned', encoder: 'alpha' })
  for (const each of [before, cid]) await isPinnedEverywhere(gate, each)
  for (const kubo of kubos) t.equal(await kubo.pinType(cid), 'recursive')
  t.ok(await hasLease(two, cid, 'alpha'))
  await gate.logged('unpinned at the fallback; the cluster has the pin')
  t.equal(await spare.pinType(cid), undefined)
  const failed = await gate.pinEvent((event) => event.cid === absent)
  t.match(failed, { result: 'failed', encoder: 'alpha' })
})

t.test('a power cut of the host, cluster and gate, costs no pin', async (t) => {
  const kubo = await startKubo(t, programs.kubo)
  const cluster = await startCluster(t, programs.service, kubo)
  const key = generateKey()
  const folder = temporaryFolder()
  const config = {
    listen: { port: 0 },
    cluster: { endpoints: [{ url: cluster.url }] },
    control: { socket: join(folder, 'control.sock') },
    ledger: { directory: join(folder, 'state') },
    limits: { writes: { max: 1000, windowSeconds: 60 } },
    encoders: { alpha: { keys: [{ id: 'k', sha256: digestOf(key) }] } },
  }
  const { daemon, url, configPath } = await startDaemon(t, config)
  const cids = Array.from({ length: 100 }, (_, index) => generatedCid(index))
  const headers = { authorization: `Bearer ${key}` }
  for (const cid of cids)
    t.equal((await fetch(`${url}/pins/${cid}`, { method: 'POST', headers })).status, 200, cid)
  await eventually('the last one is on the disk', async () => {
    const { stdout } = await pinwarden('ledger', 'check', '--json', '--config', configPath)
    const { rows } = JSON.parse(stdout) as { readonly rows: number }
    return rows === cids.length ? true : undefined
  })
  daemon.process.kill('SIGKILL')
  await Promise.all([daemon.exited, cluster.kill()])

  await cluster.comeBack()
  const missing = async () => {
    const found = cids.map(async (cid) => (await fetch(`${cluster.url}/allocations/${cid}`)).ok)
    return (await Promise.all(found)).filter((isThere) => !isThere).length
  }
  const forgotten = await missing()
  t.comment(`the cluster had forgotten ${forgotten} of ${cids.length} pins`)
  const again = await startDaemon(t, config)
  t.match(await again.daemon.logged('verified recent writes'), { repaired: forgotten })
  t.equal(await missing(), 0)
  t.ok(await hasLease(cluster, cids.at(-1) ?? '', 'alpha'))
})

t.test(
  'a client that waits for a pin is answered immediately, and learns why it failed',
  async (t) => {
    const { one, two, add } = await startPeers(t)
    const gate = await startBefore(t, [one, two])
    const statuses = async (cid: string) => {
      t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 200)
      const { json } = await gate.ask('GET', `/pins/${cid}?wait=25s`)
      return Object.values((json as PinInfo).peer_map).map(({ status }) => status)
    }
    t.same(await statuses(await add('there')), ['pinned', 'pinned'])
    const absent = 'bafkreiabx4gm5u62y6bc6mt6rdhjx4e37tsjxmvzl7a3dbklo46pwp6vgm'
    t.match(await statuses(absent), ['pin_error', /^pin_error$|^remote$/])
    const { error } = await gate.pinEvent(({ cid }) => cid === absent)
    t.match(plainWords(error), /^the IPFS daemon says: /)
  },
)

t.test('a Kubo of the cluster is refused as fallback', async (t) => {
  const { one, two, kubos } = await startPeers(t)
  const kubo = (one: Kubo) => ({ kubo: { url: `http://127.0.0.1:${one.port}` } })
  for (const each of kubos)
    await t.rejects(startBefore(t, [one, two], { fallback: kubo(each) }), {
      message: /a Kubo that the cluster uses/,
    })
})
