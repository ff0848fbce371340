/** Whose pin is it: what an encoder does to a pin never takes it from another. */
import t from 'tap'
import { leaseIdOf } from '../../../src/settings/values/lease-id.js'
import { ClusterFault } from '../../../src/cluster/faults.js'
import { changeByPath } from '../../../src/gate/forward/change-pin.js'
import { lagMs } from '../../../src/ledger/storage/recent-places.js'
import { askedOf } from '../../support/asked.js'
import type { Behaviour } from '../../support/fake-cluster/index.js'
import { RawClient } from '../../support/raw.js'
import { startGate, type TestGate } from '../../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const path = `/pins/${cid}`
const [alpha, beta] = [leaseIdOf('alpha'), leaseIdOf('beta')]
const encoders = { beta: {}, gamma: {} }

const enforced = { encoders, enforcement: 'enforce' } as const

/** Who holds the pin, by the cluster's own record; undefined: it is not there. */
function holders(gate: TestGate): string[] | undefined {
  const pin = gate.cluster.pins.get(cid)
  return (
    pin &&
    [...(pin.metadata?.keys() ?? [])]
      .filter((key) => key.startsWith('pinwarden.lease.'))
      .map((key) => key.slice('pinwarden.lease.'.length))
      .sort()
  )
}

const expiryOf = (gate: TestGate) => gate.cluster.pins.get(cid)?.expireAt

t.test("an unknown pin is pinned with the caller's options and lease", async (t) => {
  const gate = await startGate(t, enforced)
  const answer = await gate.ask('POST', `${path}?name=clip&meta-k=v`)
  t.equal(answer.status, 200)
  t.match(answer.json, { cid, name: 'clip', metadata: { k: 'v' } })
  t.same(holders(gate), [alpha])
  const [read, write] = gate.cluster.requests.map(({ method, target }) => `${method} ${target}`)
  t.equal(read, `GET /allocations/${cid}`)
  const since = /meta-pinwarden\.lease\.(\w+)=(\d{8}T\d{6}Z)%2F\.\.%2F\w{8}\.\d+$/.exec(write ?? '')
  t.equal(since?.[1], alpha)
  t.ok(write?.startsWith(`POST ${path}?name=clip&meta-k=v&`))
})

t.test("another encoder's pin keeps its name, metadata, options and expiry", async (t) => {
  const gate = await startGate(t, {
    ...enforced,
    encoders: { ...encoders, alpha: { options: ['replication'] } },
  })
  await gate.ask('POST', `${path}?name=mine&meta-a=1&replication=1`)
  const before = gate.cluster.pins.get(cid)
  const answer = await gate.ask('POST', `${path}?name=theirs&meta-b=2&expire-in=1s`, { as: 'beta' })
  t.equal(answer.status, 200)
  t.match(answer.json, { name: 'mine', expire_at: '0001-01-01T00:00:00Z' })
  const after = gate.cluster.pins.get(cid)
  t.equal(after?.name, 'mine')
  t.same(
    [...(after?.metadata?.keys() ?? [])].filter((key) => !key.includes('.')),
    ['a'],
  )
  t.equal(after?.replicationMax, before?.replicationMax)
  t.equal(after?.expireAt, before?.expireAt)
  t.same(holders(gate), [alpha, beta].sort())
})

t.test('the record expires with the latest of its leases', async (t) => {
  const gate = await startGate(t, enforced)
  const at = (year: number) => `${path}?expire-at=${year}-01-01T00:00:00Z`
  await gate.ask('POST', at(2900))
  t.equal(expiryOf(gate), '2900-01-01T00:00:00Z')
  await gate.ask('POST', at(2950), { as: 'beta' })
  t.equal(expiryOf(gate), '2950-01-01T00:00:00Z')
  await gate.ask('POST', at(2920))
  t.equal(expiryOf(gate), '2950-01-01T00:00:00Z', 'a shorter one shortens its own only')
  await gate.ask('POST', path, { as: 'gamma' })
  t.equal(expiryOf(gate), '0001-01-01T00:00:00Z')
  await gate.ask('DELETE', path, { as: 'gamma' })
  t.equal(expiryOf(gate), '2950-01-01T00:00:00Z')
  await gate.ask('DELETE', path, { as: 'beta' })
  t.equal(expiryOf(gate), '2920-01-01T00:00:00Z')
})

t.test('a sole holder may change its pin freely', async (t) => {
  const gate = await startGate(t, enforced)
  await gate.ask('POST', `${path}?name=one&meta-a=1`)
  await gate.ask('POST', `${path}?name=two&expire-at=2900-01-01T00:00:00Z`)
  t.match(gate.cluster.pins.get(cid), { name: 'two', expireAt: '2900-01-01T00:00:00Z' })
  t.notOk(gate.cluster.pins.get(cid)?.metadata?.has('a'))
  t.same(holders(gate), [alpha])
  t.equal((await gate.ask('DELETE', path)).status, 200)
  t.notOk(gate.cluster.pins.has(cid))
})

t.test('one of several holders releases only its own lease', async (t) => {
  const gate = await startGate(t, enforced)
  await gate.ask('POST', `${path}?name=one`)
  await gate.ask('POST', path, { as: 'beta' })
  const answer = await gate.ask('DELETE', path)
  t.match(answer, { status: 200, json: { cid, name: 'one' } })
  t.same(holders(gate), [beta])
  t.equal((await gate.ask('DELETE', path)).status, 403, 'it was released before')
  t.equal((await gate.ask('DELETE', path, { as: 'beta' })).status, 200)
  t.notOk(gate.cluster.pins.has(cid))
})

t.test(
  'an encoder that does not hold a pin cannot unpin it: 403, and nothing is sent',
  async (t) => {
    const gate = await startGate(t, enforced)
    await gate.ask('POST', path)
    gate.cluster.reset()
    const answer = await gate.ask('DELETE', path, { as: 'beta' })
    t.match(answer, {
      status: 403,
      json: { code: 403, message: 'forbidden: this pin is not yours to unpin' },
    })
    t.same(askedOf(gate.cluster), [])
    t.same(holders(gate), [alpha])
    t.match(gate.lines.at(-1), { outcome: 'refused', reason: 'not-owner', encoder: 'beta', cid })
  },
)

t.test("a pin without leases stays the operator's, even if an encoder pins it too", async (t) => {
  const gate = await startGate(t, enforced)
  gate.cluster.addPin(cid, { name: 'old', metadata: new Map([['k', 'v']]) })
  t.equal((await gate.ask('DELETE', path)).status, 403)
  t.equal((await gate.ask('POST', `${path}?expire-in=1s`)).status, 200)
  t.match(gate.cluster.pins.get(cid), { name: 'old', expireAt: '0001-01-01T00:00:00Z' })
  t.equal(gate.cluster.pins.get(cid)?.metadata?.get('k'), 'v')
  t.same(holders(gate), [alpha, 'operator'].sort())
  t.equal((await gate.ask('DELETE', path)).status, 200)
  t.same(holders(gate), ['operator'])
  t.equal((await gate.ask('DELETE', path)).status, 403)
})

t.test("the operator's own expiry is also kept", async (t) => {
  const gate = await startGate(t, enforced)
  gate.cluster.addPin(cid, { expireAt: '2900-01-01T00:00:00Z' })
  await gate.ask('POST', path)
  t.equal(expiryOf(gate), '0001-01-01T00:00:00Z')
  await gate.ask('DELETE', path)
  t.equal(expiryOf(gate), '2900-01-01T00:00:00Z')
})

t.test("an unknown pin is unpinned with the cluster's own 404", async (t) => {
  const gate = await startGate(t, enforced)
  const answer = await gate.ask('DELETE', path)
  t.match(answer, { status: 404, json: { code: 404, message: 'pin is not part of the pinset' } })
  t.same(askedOf(gate.cluster), [`DELETE ${path}`])
})

t.test('unpin-any unpins any pin', async (t) => {
  const gate = await startGate(t, {
    ...enforced,
    encoders: { ...encoders, ops: { role: 'operator' } },
  })
  await gate.ask('POST', path)
  await gate.ask('POST', path, { as: 'beta' })
  t.equal((await gate.ask('DELETE', path, { as: 'ops' })).status, 200)
  t.notOk(gate.cluster.pins.has(cid))
})

t.test("clients cannot write the gate's own metadata", async (t) => {
  const gate = await startGate(t, enforced)
  for (const key of [`pinwarden.lease.${beta}`, 'pinwarden.former.x', 'pinwarden.'])
    t.match(await gate.ask('POST', `${path}?meta-${key}=x`), {
      status: 400,
      json: { message: 'metadata under pinwarden. is reserved' },
    })
  t.equal(gate.cluster.requests.length, 0)
  t.equal((await gate.ask('POST', `${path}?meta-pinwarden=x`)).status, 200)
})

t.test('holders are bounded: one more is 409, and nothing is changed', async (t) => {
  const names = Array.from({ length: 60 }, (_, index) => `e${index}`)
  const gate = await startGate(t, {
    enforcement: 'enforce',
    encoders: Object.fromEntries(names.map((name) => [name, {}])),
  })
  const statuses = []
  for (const as of names) statuses.push((await gate.ask('POST', path, { as })).status)
  const taken = statuses.filter((status) => status === 200).length
  t.equal(taken, 48)
  t.ok(statuses.slice(taken).every((status) => status === 409))
  t.equal(holders(gate)?.length, 48)
  t.equal((await gate.ask('POST', path, { as: 'e1' })).status, 200, 'renewing takes no room')
  const longest = Math.max(...gate.cluster.requests.map(({ target }) => target.length))
  t.ok(longest < 6500, String(longest))
})

t.test('a record that would not fit into a request is left as it is: 409', async (t) => {
  const gate = await startGate(t, enforced)
  const metadata = new Map(
    Array.from({ length: 8 }, (_, index) => [`k${index}`, 'x'.repeat(800)] as const),
  )
  gate.cluster.addPin(cid, { metadata })
  t.equal((await gate.ask('POST', path)).status, 409)
  t.same(holders(gate), [])
})

t.test('other types of pins are left alone', async (t) => {
  const gate = await startGate(t, enforced)
  gate.cluster.addPin(cid, { type: 'meta-pin' })
  t.equal((await gate.ask('POST', path)).status, 409)
  t.equal((await gate.ask('DELETE', path)).status, 403)
  t.same(askedOf(gate.cluster), [])
})

t.test(
  "when observed, the operator's pin is unpinned and others stay; the log has the reason",
  async (t) => {
    const gate = await startGate(t, { encoders, enforcement: 'observe' })
    gate.cluster.addPin(cid)
    t.equal((await gate.ask('DELETE', path)).status, 200)
    t.notOk(gate.cluster.pins.has(cid))
    t.match(gate.lines.at(-1), { outcome: 'answered', wouldRefuse: 'not-owner' })
    await gate.ask('POST', path)
    const answer = await gate.ask('DELETE', path, { as: 'beta' })
    t.match(answer, { status: 200, json: { cid } })
    t.same(holders(gate), [alpha], 'no lease is harmed')
    t.match(gate.lines.at(-1), { outcome: 'answered', wouldRefuse: 'not-owner' })
    t.match(await gate.ask('POST', `${path}?replication=1`, { as: 'beta' }), { status: 200 })
    t.match(gate.lines.at(-1), { outcome: 'answered', wouldRefuse: 'option-not-granted' })
  },
)

t.test('off does the same silently, and an encoder may have its own mode', async (t) => {
  const gate = await startGate(t, {
    enforcement: 'off',
    encoders: { beta: { enforcement: 'enforce' }, gamma: {} },
  })
  await gate.ask('POST', path)
  t.equal((await gate.ask('DELETE', path, { as: 'gamma' })).status, 200)
  t.equal(gate.lines.at(-1)?.wouldRefuse, undefined)
  t.same(holders(gate), [alpha])
  t.equal((await gate.ask('DELETE', path, { as: 'beta' })).status, 403)
})

t.test("paths are for encoders that may unpin other holders' pins", async (t) => {
  const some = { allow: ['resolve'] }
  const gate = await startGate(t, { ...enforced, encoders: { some, ops: { role: 'operator' } } })
  const below = `/pins/ipfs/${cid}/a`
  t.equal((await gate.ask('POST', below, { as: 'some' })).status, 403)
  t.equal(gate.cluster.requests.length, 0)
  t.equal((await gate.ask('POST', below, { as: 'ops' })).status, 200)
})

t.test('a path to a pin of others neither takes a lease nor brings one back', async (t) => {
  const gate = await startGate(t, {
    ...enforced,
    retentionDays: { operator: 1 },
    encoders: { ops: { role: 'operator' }, beta: {} },
  })
  const below = `/pins/ipfs/${cid}/a`
  const { json } = await gate.ask('POST', below, { as: 'ops' })
  const { cid: found, expire_at: end } = json as { cid: string; expire_at: string }
  t.match(end, /^20/, 'no longer than the retention of who asks')
  t.equal((await gate.ask('POST', `/pins/${found}`)).status, 200)
  const alphas = () => gate.cluster.pins.get(found)?.metadata?.get(`pinwarden.lease.${alpha}`)
  const before = alphas()
  t.equal((await gate.ask('POST', below, { as: 'ops' })).status, 200)
  t.equal(alphas(), before)

  t.equal((await gate.ask('DELETE', below, { as: 'ops' })).status, 200)
  t.notOk(gate.cluster.pins.has(found))
  t.equal(await gate.ledger.holdings.heldUntil(found, alpha), undefined, 'it is owed no more')
})

t.test('a path to a pin of others leaves its name and metadata as they are', async (t) => {
  const gate = await startGate(t, { ...enforced, encoders: { ops: { role: 'operator' } } })
  const below = `/pins/ipfs/${cid}/a`
  const { json } = await gate.ask('POST', `${below}?name=first`, { as: 'ops' })
  const { cid: found } = json as { cid: string }
  const [name, metadata] = [
    () => gate.cluster.pins.get(found)?.name,
    () => gate.cluster.pins.get(found)?.metadata?.get('z'),
  ]
  t.equal((await gate.ask('POST', `${below}?name=second&meta-z=1`, { as: 'ops' })).status, 200)
  t.same([name(), metadata()], ['second', '1'], 'nobody holds it')
  t.equal((await gate.ask('DELETE', below, { as: 'ops' })).status, 200)
  t.equal((await gate.ask('POST', `/pins/${found}?name=own&meta-z=2`)).status, 200)
  t.equal((await gate.ask('POST', `${below}?name=third&meta-z=3`, { as: 'ops' })).status, 200)
  t.same([name(), metadata()], ['own', '2'])
})

t.test('after a change by path without an answer all pins are compared', async (t) => {
  const soon: number[] = []
  const parts = {
    clock: { now: () => 0 },
    ledger: {},
    holdings: { soon: (withinMs: number) => soon.push(withinMs) },
  }
  const handling = { request: { encoder: { enforcement: 'off', permissions: new Set() } } }
  const plan = { kind: 'path', method: 'DELETE', path: '/pins/ipfs/a/b', options: [], untilMs: 0 }
  const call = changeByPath(...([parts, handling, plan] as unknown as ByPath))
  if (call === 'answered') throw new Error('it is refused')
  for (const reason of ['cluster-down', 'cluster-timeout'] as const)
    await call.onAnswer?.(new ClusterFault(reason), undefined as never)
  t.same(soon, [lagMs + 60_000], 'what it overwrote is then not too recent')
})

type ByPath = Parameters<typeof changeByPath>

t.test('one holder cannot fill a record so that others have no room', async (t) => {
  const other = 'bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u'
  const many = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`e${index}`, {}]))
  const gate = await startGate(t, {
    enforcement: 'enforce',
    encoders: { ...many, beta: { options: ['pin-update'] } },
  })
  const query = (bytes: number) =>
    Array.from({ length: 10 }, (_, index) => `meta-k${index}=${'v'.repeat(bytes / 10)}`).join('&')
  t.match(await gate.ask('POST', `${path}?${query(4800)}`), { status: 400, text: /need room/ })
  t.match(gate.lines.at(-1), { outcome: 'refused', reason: 'options-too-long' })
  t.equal((await gate.ask('POST', `${path}?${query(4600)}`)).status, 200)
  for (const name of Object.keys(many))
    t.equal((await gate.ask('POST', path, { as: name })).status, 200, name)
  // A copy of a pin from outside the gate must not bypass ownership or the grants of options.
  const metadata = new Map(
    Array.from({ length: 8 }, (_, index) => [`k${index}`, 'x'.repeat(700)] as const),
  )
  gate.cluster.addPin(cid, { metadata })
  const copy = () => gate.ask('POST', `/pins/${other}?pin-update=${cid}`, { as: 'beta' })
  t.match(await copy(), { status: 400, text: /need room/ })
  gate.cluster.addPin(cid, { metadata: null, replicationMin: 1, replicationMax: 1 })
  t.equal((await copy()).status, 200)
  t.equal(gate.cluster.pins.get(other)?.replicationMax, -1)
})

t.test('tokens of other gates leave room for another holder', async (t) => {
  const gate = await startGate(t, enforced)
  const tokens = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc', 'dddddddd'].map((id) => `${id}.1234567`)
  const lease = `20260101T000000Z/../${tokens.join('/')}`
  const others = Array.from({ length: 15 }, (_, index) => `lease-of-other-${index}`).sort()
  const metadata = new Map([
    ...Array.from({ length: 10 }, (_, index) => [`k${index}`, 'v'.repeat(450)] as const),
    ...others.map((other) => [`pinwarden.lease.${other}`, lease] as const),
  ])
  gate.cluster.addPin(cid, { metadata })
  t.equal((await gate.ask('POST', path)).status, 200)
  t.same(holders(gate), [alpha, ...others].sort())
  const kept = gate.cluster.pins.get(cid)?.metadata?.get(`pinwarden.lease.${others[0] ?? ''}`)
  t.equal(kept, `20260101T000000Z/../${tokens[0] ?? ''}`)
  // The last of them keeps as many as there is room for.
  const last = gate.cluster.pins.get(cid)?.metadata?.get(`pinwarden.lease.${others[14] ?? ''}`)
  t.equal(last, lease)
})

t.test('pin-update copies the pin, but not its holders', async (t) => {
  const other = 'bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u'
  const gate = await startGate(t, {
    ...enforced,
    encoders: { beta: { options: ['pin-update'] } },
  })
  await gate.ask('POST', `${path}?name=one&meta-k=v`)
  const update = (query: string) => gate.ask('POST', `/pins/${other}?${query}`, { as: 'beta' })
  t.match(await update(`pin-update=${cid}&name=two`), { status: 200, json: { name: 'two' } })
  const copy = gate.cluster.pins.get(other)
  t.equal(copy?.metadata?.get('k'), 'v')
  t.same([...(copy?.metadata?.keys() ?? [])].sort(), ['k', `pinwarden.lease.${beta}`])
  t.same(holders(gate), [alpha])
  await gate.ask('DELETE', path)
  t.match(await update(`pin-update=${cid}`), { status: 404, json: { code: 404 } })
})

t.test('retention limits the lifetime of a lease', async (t) => {
  const gate = await startGate(t, {
    enforcement: 'enforce',
    retentionDays: { pinner: 30 },
    encoders: { beta: { retentionDays: 1 } },
  })
  const days = (text = '') => Math.round((Date.parse(text) - Date.now()) / 86_400_000)
  await gate.ask('POST', path)
  t.equal(days(expiryOf(gate)), 30)
  await gate.ask('DELETE', path)
  await gate.ask('POST', `${path}?expire-at=2900-01-01T00:00:00Z`, { as: 'beta' })
  t.equal(days(expiryOf(gate)), 1)
  await gate.ask('POST', `${path}?expire-in=1h`, { as: 'beta' })
  t.equal(days(expiryOf(gate)), 0)
})

t.test('changes of one pin run one at a time, whatever its spelling', async (t) => {
  const gate = await startGate(t, enforced)
  const v1 = 'bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u'
  const upper = `B${v1.slice(1).toUpperCase()}`
  const spellings = [v1, upper, `ipfs/${v1}`]
  const asks = ['alpha', 'beta', 'gamma'].flatMap((as) =>
    spellings.map((spelling) => gate.ask('POST', `/pins/${spelling}`, { as })),
  )
  for (const { status } of await Promise.all(asks)) t.equal(status, 200)
  t.equal(gate.cluster.pins.get(v1)?.metadata?.size, 3)
})

t.test('a cluster whose reads lag behind loses no lease', async (t) => {
  const gate = await startGate(t, enforced)
  await gate.ask('POST', path)
  const old = await (await fetch(`${gate.cluster.url}/allocations/${cid}`)).text()
  await gate.ask('POST', path, { as: 'beta' })
  const stale = { kind: 'status', status: 200, body: old } as const
  const headers = { 'Content-Type': 'application/json' }
  gate.cluster.behave({ path: `/allocations/${cid}` }, { ...stale, headers }, 1)
  await gate.ask('POST', path, { as: 'gamma' })
  t.equal(holders(gate)?.length, 3)
  const gone = '{"code":404,"message":"pin is not part of the pinset"}\n'
  const unknown = { kind: 'status', status: 404, body: gone, headers } as const
  gate.cluster.behave({ path: `/allocations/${cid}` }, unknown, 1)
  await gate.ask('DELETE', path)
  t.equal(holders(gate)?.length, 2)
})

t.test('if the holders of a pin are unknown, nothing is written', async (t) => {
  const gate = await startGate(t, enforced)
  const at = { path: `/allocations/${cid}` }
  const headers = { 'Content-Type': 'application/json' }
  const cases = [
    [{ kind: 'reset' }, 502],
    [{ kind: 'status', status: 500, body: '{"code":500,"message":"x"}', headers }, 502],
    [{ kind: 'status', status: 200, body: '[]', headers }, 502],
    [{ kind: 'status', status: 200, body: 'no', headers }, 502],
    [{ kind: 'status', status: 404, body: '<html>not here</html>' }, 502],
  ] as const
  for (const [behaviour, status] of cases)
    for (const method of ['POST', 'DELETE']) {
      const undo = gate.cluster.behave(at, behaviour)
      t.equal((await gate.ask(method, path)).status, status)
      t.match(gate.lines.at(-1), { outcome: 'fault' })
      undo()
    }
  t.same(askedOf(gate.cluster), [])
  t.equal((await gate.ask('POST', path)).status, 200, 'and no client is locked out')
})

t.test('a client that leaves hides neither the outcome of its change nor a doubt', async (t) => {
  const gate = await startGate(t, { ...enforced, cluster: { writeTimeoutMs: 1000 } })
  const leaveAt = async (behaviour: Behaviour) => {
    gate.cluster.behave({ method: 'POST' }, behaviour, 1)
    const client = await RawClient.to(gate.url)
    const read = gate.cluster.nextRequest()
    client.write(gate.head(`DELETE ${path} HTTP/1.1`))
    await read
    t.match(await gate.cluster.nextRequest(), { method: 'POST' })
    client.socket.destroy()
    await gate.ask('GET', '/id')
  }
  await gate.ask('POST', path)
  await gate.ask('POST', path, { as: 'beta' })
  let goOn = (): void => undefined
  await leaveAt({ kind: 'hold', until: new Promise<void>((resolve) => (goOn = resolve)) })
  goOn()
  await gate.line(({ upstreamStatus, outcome }) => upstreamStatus === 200 && outcome === 'aborted')
  await gate.ask('POST', path, { as: 'gamma' })
  t.same(holders(gate), [beta, leaseIdOf('gamma')].sort())
  await gate.ask('POST', path)
  t.equal((await gate.ledgerReport()).doubts, 0)
  await leaveAt({ kind: 'stall' })
  await gate.line(
    ({ upstreamStatus, outcome }) => upstreamStatus === undefined && outcome === 'aborted',
  )
  t.equal((await gate.ledgerReport()).doubts, 1)
})

t.test('a lease that another writer changed is logged, and no hand takes it', async (t) => {
  const gate = await startGate(t, enforced)
  await gate.ask('POST', path)
  const timestamp = new Date(Date.now() + 5000).toISOString()
  gate.cluster.addPin(cid, { timestamp })
  await gate.ask('POST', path, { as: 'beta' })
  t.equal((await gate.ask('DELETE', path)).status, 200, 'alpha still holds it')
  t.match(await gate.logText(), /written outside the gate, without its leases/)
  t.notMatch(await gate.logText(), /another writer/)
  const other = await startGate(t, enforced)
  await other.ask('POST', path)
  const metadata = new Map([[`pinwarden.lease.${beta}`, '20260101T000000Z/../othergat.1']])
  other.cluster.addPin(cid, { timestamp, metadata })
  await other.ask('POST', path, { as: 'gamma' })
  t.match(await other.logText(), /another writer changed the leases/, 'another gate wrote leases')
})

t.test(
  'a pin added with ctl after the gate unpinned it does not count as a changed lease',
  async (t) => {
    const gate = await startGate(t, enforced)
    await gate.ask('POST', path)
    await gate.ask('DELETE', path)
    const timestamp = new Date(Date.now() + 5000).toISOString()
    gate.cluster.addPin(cid, { timestamp })
    t.equal((await gate.ask('DELETE', path)).status, 403, "it is the operator's")
    t.notMatch(await gate.logText(), /another writer changed the leases/)
  },
)

t.test('a hand that unpins ends what a hand pinned', async (t) => {
  const gate = await startGate(t, enforced)
  const pinnedByBoth = async () => {
    await gate.ask('POST', path)
    gate.cluster.addPin(cid, { timestamp: new Date(Date.now() + 5000).toISOString() })
    await gate.ask('POST', path)
    t.ok(holders(gate)?.includes('operator'))
    gate.cluster.pins.delete(cid)
  }
  await pinnedByBoth()
  t.equal((await gate.ask('POST', path)).status, 200)
  t.same(holders(gate), [alpha])
  await gate.ask('POST', path, { as: 'beta' })
  await pinnedByBoth()
  t.equal((await gate.ask('DELETE', path)).status, 200)
  t.same(holders(gate), [beta], 'an encoder loses nothing by it')
  t.equal((await gate.ask('DELETE', path, { as: 'beta' })).status, 200)
  await pinnedByBoth()
  t.equal((await gate.ask('DELETE', path)).status, 200)
  t.equal(holders(gate), undefined)
})

t.test('a holder may unpin before the cluster shows its pin', async (t) => {
  const gate = await startGate(t, enforced)
  await gate.ask('POST', `${path}?name=n&meta-k=v`)
  const late = gate.cluster.pins.get(cid)
  gate.cluster.pins.delete(cid)
  const answer = await gate.ask('DELETE', path)
  t.match(answer, { status: 200, json: { cid, name: 'n', metadata: { k: 'v' } } })
  t.notMatch(answer.text, 'pinwarden')
  t.equal((await gate.ledgerReport()).doubts, 1, 'it may still appear')
  t.equal((await gate.ask('DELETE', path)).status, 404, 'it is unpinned')
  if (late !== undefined) gate.cluster.pins.set(cid, late)
  await gate.ask('POST', path, { as: 'beta' })
  t.same(holders(gate), [beta])
})
