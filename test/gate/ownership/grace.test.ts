/** Undo: a finished pin without a holder is kept for a grace, and looks unpinned. */
import t from 'tap'
import { leaseIdOf } from '../../../src/settings/values/lease-id.js'
import { askedOf } from '../../support/asked.js'
import { type Behaviour, type FakeCluster, generatedCid } from '../../support/fake-cluster/index.js'
import { Deadline } from '../../../src/time/deadline.js'
import { Upkeep } from '../../../src/ledger/upkeep.js'
import { startGate } from '../../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const path = `/pins/${cid}`
const other = generatedCid(1)

const settings = {
  enforcement: 'enforce',
  unpin: { graceSeconds: 3600 },
  encoders: { beta: {}, ops: { role: 'operator' } },
} as const

const statusOf = (json: unknown): string | undefined =>
  Object.values((json as { peer_map: Record<string, { status: string }> }).peer_map)[0]?.status

const keysOf = (cluster: FakeCluster) => [...(cluster.pins.get(cid)?.metadata?.keys() ?? [])]

t.test('when its last lease ends, a finished pin expires after the grace period', async (t) => {
  const gate = await startGate(t, settings)
  await gate.ask('POST', `${path}?name=clip&meta-k=v`)
  const before = Date.now()
  const answer = await gate.ask('DELETE', path)
  t.match(answer, { status: 200, json: { cid, name: 'clip' } })
  const pin = gate.cluster.pins.get(cid)
  const leftMs = Date.parse(pin?.expireAt ?? '') - before
  t.ok(leftMs > 3_590_000 && leftMs <= 3_601_000, String(leftMs))
  t.same(keysOf(gate.cluster).sort(), ['k', `pinwarden.former.${leaseIdOf('alpha')}`])
})

t.test('to encoders it then looks unpinned, however they ask', async (t) => {
  const gate = await startGate(t, settings)
  await gate.ask('POST', path)
  await gate.ask('POST', `/pins/${other}`)
  await gate.ask('DELETE', path)
  const status = await gate.ask('GET', path)
  t.equal(status.status, 200)
  t.equal(statusOf(status.json), 'unpinned')
  t.match(status.json, { cid, name: '', metadata: null, origins: null, allocations: [] })
  t.match(await gate.ask('DELETE', path), {
    status: 404,
    json: { code: 404, message: 'pin is not part of the pinset' },
  })
  const recovered = await gate.ask('POST', `${path}/recover`)
  t.equal(statusOf(recovered.json), 'unpinned')
  const many = await gate.ask('GET', `/pins?cids=${cid},${other}`)
  const lines = many.text.trim().split('\n')
  const statuses = new Map(
    lines.map((line) => [(JSON.parse(line) as { cid: string }).cid, statusOf(JSON.parse(line))]),
  )
  t.same([statuses.get(cid), statuses.get(other)], ['unpinned', 'pinned'])
  const listing = await gate.ask('GET', '/pins')
  t.notMatch(listing.text, cid)
  t.match(listing.text, other)
  t.notMatch(many.text, 'pinwarden.former')
})

t.test("a new POST takes it over, as the encoder's own pin", async (t) => {
  const gate = await startGate(t, settings)
  await gate.ask('POST', `${path}?name=old`)
  await gate.ask('DELETE', path)
  t.match(await gate.ask('POST', `${path}?name=new`, { as: 'beta' }), { status: 200 })
  t.match(gate.cluster.pins.get(cid), { name: 'new', expireAt: '0001-01-01T00:00:00Z' })
  t.same(keysOf(gate.cluster), [`pinwarden.lease.${leaseIdOf('beta')}`])
  t.equal(statusOf((await gate.ask('GET', path)).json), 'pinned')
})

t.test('an unfinished pin is unpinned immediately', async (t) => {
  const gate = await startGate(t, settings)
  gate.cluster.statusOfNewPins = 'pinning'
  await gate.ask('POST', path)
  t.equal((await gate.ask('DELETE', path)).status, 200)
  t.notOk(gate.cluster.pins.has(cid))
  t.same(askedOf(gate.cluster).slice(-2), [`GET ${path}`, `DELETE ${path}`])
})

const peers = (...words: readonly string[]) =>
  words.map((status, index) => [`peer${index}`, { status }] as const)

const bodyOf = (map: readonly (readonly [string, object])[] | null) =>
  JSON.stringify({ cid, peer_map: map && Object.fromEntries(map) })

/** What the cluster may say of a pin, and whether it is known to be unfinished everywhere. */
const peerStates: readonly (readonly [string, Behaviour, boolean])[] = [
  ...['cluster_error', 'unexpectedly_unpinned', 'pinned', 'sharded', 'unpin_error'].flatMap(
    (word) =>
      ['pinned', 'pin_queued', 'pin_error'].map(
        (other) => [`${other}, ${word}`, answer(200, bodyOf(peers(other, word))), false] as const,
      ),
  ),
  ['pinning, pin_queued', answer(200, bodyOf(peers('pinning', 'pin_queued'))), true],
  ['pin_error, remote', answer(200, bodyOf(peers('pin_error', 'remote'))), true],
  ['remote', answer(200, bodyOf(peers('remote', 'remote'))), false],
  ['no peers', answer(200, bodyOf([])), false],
  ['no peer_map', answer(200, bodyOf(null)), false],
  ['no JSON', answer(200, 'pinned'), false],
  ['500', answer(500, '{"code":500,"message":"x"}'), false],
  ['nothing', { kind: 'stall' }, false],
  ['an end', { kind: 'reset' }, false],
]

function answer(status: number, body: string): Behaviour {
  return { kind: 'status', status, body }
}

t.test(
  'only a pin that is known to be unfinished everywhere is unpinned immediately',
  async (t) => {
    const cluster = { writeTimeoutMs: 1000 }
    const gate = await startGate(t, { ...settings, cluster })
    const planned = async () => {
      const { record } = await gate.ledger.changes.look(cid, new Deadline(5000))
      const [lease] = record?.leases ?? []
      if (lease === undefined) throw new Error('it has no holder')
      return { ...lease, cid }
    }
    const upkeep = new Upkeep(gate.ledger.changes, gate.ledger.queue)
    for (const [what, behaviour, isUnfinished] of peerStates)
      for (const by of ['DELETE', 'apply']) {
        t.equal((await gate.ask('POST', path)).status, 200)
        const undo = gate.cluster.behave({ method: 'GET', path: new RegExp(`^${path}`) }, behaviour)
        if (by === 'DELETE') t.equal((await gate.ask('DELETE', path)).status, 200, `${what}, ${by}`)
        else t.equal(await upkeep.release(await planned(), 3_600_000), 'unpinned', `${what}, ${by}`)
        undo()
        t.equal(gate.cluster.pins.has(cid), !isUnfinished, `${what}, ${by}`)
      }
  },
)

t.test('a kept pin still looks unpinned after the grace period is set back to 0', async (t) => {
  const gate = await startGate(t, settings)
  for (const each of [path, `/pins/${other}`]) await gate.ask('POST', each)
  await gate.ask('DELETE', path)
  gate.replace({ ...settings, unpin: { graceSeconds: 0 } })
  t.equal(statusOf((await gate.ask('GET', path)).json), 'unpinned')
  t.equal(statusOf((await gate.ask('GET', `/pins?cids=${cid}`)).json), 'unpinned')
  for (const query of ['', '?filter=pinned', '?owner=me']) {
    const { text } = await gate.ask('GET', `/pins${query}`)
    t.notMatch(text, cid, query)
  }
  t.equal((await gate.ask('DELETE', path)).status, 404)
  t.ok(gate.cluster.pins.has(cid), 'and stays for as long as it was to be kept')
})

t.test('while others hold the pin, nothing changes', async (t) => {
  const gate = await startGate(t, settings)
  await gate.ask('POST', path)
  await gate.ask('POST', path, { as: 'beta' })
  await gate.ask('DELETE', path)
  t.match(gate.cluster.pins.get(cid), { expireAt: '0001-01-01T00:00:00Z' })
  t.equal(statusOf((await gate.ask('GET', path)).json), 'pinned')
})

t.test('unpin-any also leaves the grace period, and remembers all former holders', async (t) => {
  const gate = await startGate(t, settings)
  gate.cluster.addPin(cid)
  await gate.ask('POST', path)
  t.equal((await gate.ask('DELETE', path, { as: 'ops' })).status, 200)
  const former = [leaseIdOf('alpha'), 'operator'].map((id) => `pinwarden.former.${id}`)
  t.same(keysOf(gate.cluster).sort(), former.sort())
})

t.test(
  'without a grace period a pin is unpinned immediately, without a request to Kubo',
  async (t) => {
    const gate = await startGate(t, { enforcement: 'enforce' })
    await gate.ask('POST', path)
    await gate.ask('DELETE', path)
    t.notOk(gate.cluster.pins.has(cid))
    t.same(askedOf(gate.cluster), [`POST ${path}`, `DELETE ${path}`])
  },
)

t.test('only such lines are removed from a listing, whatever the size of the chunks', async (t) => {
  const gate = await startGate(t, settings)
  const line = (n: number): string =>
    n % 3 === 0
      ? `{"n":${n},"metadata":{"pinwarden.former.x":"a/.."}}\n`
      : `{"n":${n},"metadata":null}\n`
  const feed = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const answer = gate.ask('GET', '/pins')
  const text = Array.from({ length: 200 }, (_, n) => line(n)).join('')
  for (let from = 0, size = 1; from < text.length; from += size, size = (size * 7) % 61)
    feed.write(text.slice(from, from + size))
  feed.end()
  const wanted = Array.from({ length: 200 }, (_, n) => n)
    .filter((n) => n % 3 !== 0)
    .map(line)
  t.equal((await answer).text, wanted.join(''))
})
