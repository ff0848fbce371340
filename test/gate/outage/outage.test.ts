/** An outage of the cluster, with a journal: no pin is lost, and no pin replayed that may not be. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isPeerId } from '../../../src/cluster/peer.js'
import { askedOf } from '../../support/asked.js'
import { generatedCid } from '../../support/fake-cluster/index.js'
import { type Overrides, startGate, type TestGate } from '../../support/start-gate.js'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

/** A gate with a queue, in front of a cluster that cuts every connection. */
async function startAway(t: Test, overrides: Overrides = {}) {
  const gate = await startGate(t, { onOutage: 'journal', enforcement: 'enforce', ...overrides })
  const undo = gate.cluster.behave({}, { kind: 'reset' })
  const comeBack = async () => {
    undo()
    gate.retryQueue()
    return gate.logged('emptied the journal: every pin was replayed or dropped')
  }
  return { gate, comeBack }
}

const pendingIn = ({ ledger }: TestGate) =>
  ledger.queue.entries().map((entry) => `${entry.encoder} ${entry.cid}`)

t.test('without onOutage journal a pin is refused, and nothing is written', async (t) => {
  const { gate } = await startAway(t, { onOutage: 'refuse' })
  t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 502)
  t.equal(gate.queueReport(), undefined)
  t.same(readdirSync(gate.journalDirectory), [])
})

t.test('a pin is answered 202 once it is on the disk, in the shape of a pin', async (t) => {
  const { gate } = await startAway(t)
  const query = 'name=video&meta-job=7&expire-at=2099-01-01T00:00:00Z'
  const answer = await gate.ask('POST', `/pins/${cid}?${query}`)
  t.equal(answer.status, 202)
  t.equal(answer.headers.get('pinwarden-journal'), 'accepted')
  t.equal(answer.headers.get('content-type'), 'application/json')
  t.ok(answer.text.endsWith('}\n'))
  const { timestamp, ...pin } = answer.json as { timestamp: string }
  t.ok(Date.parse(timestamp) > Date.now() - 10_000)
  t.same(pin, {
    replication_factor_min: -1,
    replication_factor_max: -1,
    name: 'video',
    mode: 'recursive',
    shard_size: 0,
    user_allocations: null,
    expire_at: '2099-01-01T00:00:00.000Z',
    metadata: { job: '7' },
    pin_update: null,
    origins: null,
    cid,
    type: 'pin',
    allocations: [],
    max_depth: -1,
    reference: null,
  })
  const file = readFileSync(join(gate.journalDirectory, 'ledger.db-wal'), 'utf8')
  t.match(file, cid)
  t.match(await gate.line(), {
    status: 202,
    outcome: 'journaled',
    reason: 'cluster-hung-up',
    encoder: 'alpha',
  })
  const logged = await gate.logText()
  for (const key of Object.values(gate.keys)) {
    t.notOk(file.includes(key))
    t.notOk(logged.includes(key))
  }
})

t.test('a copy of a pin that waits is made after that pin, for every encoder', async (t) => {
  const copiers = { options: ['pin-update'] }
  const encoders = { alpha: copiers, beta: copiers }
  const { gate, comeBack } = await startAway(t, { encoders })
  const [source, early, late] = [generatedCid(1), generatedCid(2), generatedCid(3)]
  const copy = async (of: string, as: string) =>
    (await gate.ask('POST', `/pins/${of}?pin-update=${source}`, { as })).status
  t.equal((await gate.ask('POST', `/pins/${source}?name=video`)).status, 202)
  t.equal(await copy(early, 'beta'), 202)
  // The cluster is back, but for the source.
  const release = gate.cluster.behave(
    { method: 'POST', path: `/pins/${source}` },
    { kind: 'stall' },
  )
  const isEmpty = comeBack()
  t.equal(await copy(late, 'alpha'), 202, 'it goes behind its source')
  release.release()
  t.match(await isEmpty, { replayed: 3, dropped: 0 })
  t.same(
    [early, late].map((of) => gate.cluster.pins.get(of)?.name),
    ['video', 'video'],
  )
})

t.test('its status is queued, for a peer ID that clients can parse', async (t) => {
  const { gate } = await startAway(t)
  await gate.ask('POST', `/pins/${cid}?name=video`)
  gate.cluster.reset()
  const { status, json, headers } = await gate.ask('GET', `/pins/${cid}`)
  t.equal(status, 200)
  t.equal(headers.get('pinwarden-journal'), 'accepted')
  t.match(json, { cid, name: 'video', allocations: [], origins: null, metadata: {} })
  const { peer_map: peers } = json as { peer_map: Record<string, { status: string }> }
  const [[id, peer] = ['', undefined]] = Object.entries(peers)
  t.ok(isPeerId(id))
  t.match(peer, { peername: 'pinwarden', status: 'pin_queued', error: '', attempt_count: 0 })
  t.same(
    askedOf(gate.cluster).filter((line) => line.startsWith('GET')),
    [],
  )
})

t.test('waiting pins are queued in every answer, and no others are', async (t) => {
  const gate = await startGate(t, { onOutage: 'journal', enforcement: 'enforce' })
  const [renewed, other, fresh] = [generatedCid(1), generatedCid(2), generatedCid(3)]
  for (const each of [renewed, other])
    t.equal((await gate.ask('POST', `/pins/${each}`)).status, 200)
  t.equal(await gate.ledger.holdings.count(), true)
  gate.cluster.behave({ method: 'POST' }, { kind: 'reset' })
  for (const each of [renewed, fresh])
    t.equal((await gate.ask('POST', `/pins/${each}?name=n`)).status, 202)
  const states = async (path: string, method = 'GET') => {
    const { text } = await gate.ask(method, path)
    const lines = text.split('\n').filter((line) => line !== '')
    return lines
      .map((line) => JSON.parse(line) as { cid: string; peer_map: Record<string, object> })
      .map(({ cid, peer_map: peers }) => ({ cid, ...Object.values(peers)[0] }))
      .map(({ cid, ...peer }) => `${cid} ${'status' in peer ? String(peer.status) : ''}`)
      .sort()
  }
  const waiting = [`${renewed} pin_queued`, `${fresh} pin_queued`].sort()
  const all = [...waiting, `${other} pinned`].sort()
  const cids = [renewed, other, fresh].join(',')
  t.same(await states(`/pins?cids=${cids}`), all)
  t.same(await states('/pins'), all)
  t.same(await states('/pins?filter=queued'), waiting)
  t.same(await states('/pins?filter=pin_queued,error'), waiting)
  t.same(await states('/pins?filter=pinned'), [`${other} pinned`])
  t.same(await states('/pins?filter=pinning'), [])
  t.same(await states('/pins?owner=me'), all)
  t.equal((await gate.ask('GET', '/pins?owner=me')).headers.get('x-total-count'), '3')
  const first = await gate.ask('GET', '/pins?owner=me&limit=2')
  t.match(first.headers.get('link'), `limit=2&after=${other}`)
  t.same(await states(`/pins?owner=me&after=${other}`), [`${fresh} pin_queued`])
  t.same(await states(`/pins?owner=me&after=${fresh}`), [])
  for (const each of [renewed, fresh]) {
    t.same(await states(`/pins/${each}`), [`${each} pin_queued`])
    t.same(await states(`/pins/${each}/recover`, 'POST'), [`${each} pin_queued`])
    t.match(await gate.ask('DELETE', `/pins/${each}`), { status: 503 })
  }
  gate.cluster.behave({}, { kind: 'reset' })
  gate.cluster.reset()
  t.same(await states(`/pins?cids=${renewed},${fresh}`), waiting, 'while the cluster is away')
  t.same(
    askedOf(gate.cluster).filter((line) => line.startsWith('GET')),
    [],
  )
  gate.cluster.behave({}, { kind: 'reset' })
  t.same(await states(`/pins?owner=me&after=${other}`), [`${fresh} pin_queued`])
  t.same(await states(`/pins/${fresh}/recover`, 'POST'), [`${fresh} pin_queued`])
  for (const path of ['/pins', '/pins?filter=queued', `/pins?cids=${cids}`, '/pins?owner=me'])
    t.ok((await gate.ask('GET', path)).status >= 502, path)
})

t.test('when the cluster is back the pins are replayed, each as its encoder asked', async (t) => {
  const { gate, comeBack } = await startAway(t, { encoders: { beta: {} } })
  await gate.ask('POST', `/pins/${cid}?name=first&expire-in=72h`)
  await gate.ask('POST', `/pins/${cid}?name=second`, { as: 'beta' })
  await gate.ask('POST', `/pins/${cid}?name=third`)
  await gate.ask('POST', `/pins/${generatedCid(1)}`)
  t.same(pendingIn(gate), [
    `alpha ${cid}`,
    `beta ${cid}`,
    `alpha ${cid}`,
    `alpha ${generatedCid(1)}`,
  ])
  const name = async () => ((await gate.ask('GET', `/pins/${cid}`)).json as { name: string }).name
  t.equal(await name(), 'first')
  gate.cluster.pins.clear()
  await comeBack()
  const made = gate.cluster.pins.get(cid)
  t.equal(made?.name, 'first', 'what others hold keeps its options')
  const holders = [...(made?.metadata?.keys() ?? [])].filter((key) => key.includes('lease'))
  t.equal(holders.length, 2, 'both encoders hold it')
  t.ok(gate.cluster.pins.has(generatedCid(1)))
  t.same(pendingIn(gate), [])
  t.match(await gate.logged('replayed a pin of the journal'), { level: 'info', encoder: 'alpha' })

  const status = await gate.ask('GET', `/pins/${cid}`)
  t.match(status.text, '"status":"pinned"')
  t.equal(status.headers.get('pinwarden-journal'), null)
  const event = await gate.pinEvent((event) => event.cid === cid)
  t.match(event, { encoder: 'alpha', result: 'pinned' })
  t.equal((await gate.ask('DELETE', `/pins/${cid}`)).status, 200)
})

t.test('a waiting pin that others hold has the name that they gave it', async (t) => {
  const gate = await startGate(t, { onOutage: 'journal', encoders: { beta: {} } })
  t.equal((await gate.ask('POST', `/pins/${cid}?name=first&meta-a=1`)).status, 200)
  const back = gate.cluster.behave({}, { kind: 'reset' })
  const shown = { name: 'first', metadata: { a: '1' } }
  const accepted = await gate.ask('POST', `/pins/${cid}?name=second`, { as: 'beta' })
  t.match(accepted, { status: 202, json: shown })
  t.match((await gate.ask('GET', `/pins/${cid}`, { as: 'beta' })).json, shown)
  t.match((await gate.ask('POST', `/pins/${generatedCid(1)}?name=n`)).json, { name: 'n' })
  back()
  gate.retryQueue()
  await gate.logged('emptied the journal: every pin was replayed or dropped')
  t.equal(gate.cluster.pins.get(cid)?.name, 'first')
})

t.test('an expiry counts from when the pin was accepted', async (t) => {
  const { gate, comeBack } = await startAway(t)
  const before = Date.now()
  await gate.ask('POST', `/pins/${cid}?expire-in=1h`)
  const [entry] = gate.ledger.queue.entries()
  const accepted = (entry?.untilMs ?? 0) - 3_600_000
  t.ok(accepted >= before && accepted <= Date.now() + 1000)
  await comeBack()
  t.equal(Date.parse(gate.cluster.pins.get(cid)?.expireAt ?? ''), entry?.untilMs)
})

t.test('entries that are no longer allowed are dropped, and never reach the cluster', async (t) => {
  const names = ['removed', 'disabled', 'revoked', 'reader', 'renewed']
  const encoders = Object.fromEntries(names.map((name) => [name, {}]))
  const granted = { options: ['replication'] }
  const { gate, comeBack } = await startAway(t, { encoders: { ...encoders, granted } })
  const pins = [...names, 'granted'].map((name, index) => [name, generatedCid(index)] as const)
  for (const [as, pin] of pins) {
    const query = as === 'granted' ? '?replication-min=1&replication-max=1' : ''
    t.equal((await gate.ask('POST', `/pins/${pin}${query}`, { as })).status, 202, as)
  }
  // Down, so that nothing of the queue is tried before it is back.
  const isWellAgain = gate.cluster.behave({ path: /^\/health/ }, { kind: 'reset' })
  await gate.ask('GET', '/pins')
  await gate.logged('the cluster went down: no endpoint is available')
  isWellAgain()
  const sha256 = digestOf(gate.keys.removed ?? '')
  gate.replace({
    onOutage: 'journal',
    enforcement: 'enforce',
    encoders: {
      ...encoders,
      disabled: { enabled: false },
      revoked: { keys: [] },
      reader: { role: 'reader' },
      removed: { keys: [{ id: 'k1', sha256, expires: '2020-01-01T00:00:00Z' }] },
    },
  })
  await comeBack()
  t.same([...gate.cluster.pins.keys()], [generatedCid(4)], 'only that of the one who still may')
  t.same(gate.queueReport(), { waiting: 0, replayed: 1, dropped: 5, rejected: 0 })
  const text = await gate.logText()
  const reasons = [...text.matchAll(/"reason":"([a-z-]+)","msg":"dropped a pin of the journal"/g)]
  t.same(reasons.map(([, reason]) => reason).sort(), [
    'encoder-disabled',
    'key-expired',
    'key-revoked',
    'not-permitted',
    'option-not-granted',
  ])
})

t.test('a pin is not unpinned while it waits', async (t) => {
  const { gate, comeBack } = await startAway(t)
  t.equal((await gate.ask('DELETE', `/pins/${cid}`)).status, 502)
  await gate.ask('POST', `/pins/${cid}`)
  gate.cluster.reset()
  const refused = await gate.ask('DELETE', `/pins/${cid}`)
  t.equal(refused.status, 503)
  t.equal(refused.headers.get('retry-after'), '5')
  t.same(refused.json, { code: 503, message: 'a pin of this CID waits for the cluster' })
  t.same(askedOf(gate.cluster), [])
  await comeBack()
  t.equal((await gate.ask('DELETE', `/pins/${cid}`)).status, 200)
  t.notOk(gate.cluster.pins.has(cid))
})

t.test('a pin of a waiting CID queues behind it, also when the cluster is back', async (t) => {
  const { gate, comeBack } = await startAway(t)
  await gate.ask('POST', `/pins/${cid}?name=first`)
  const held = gate.cluster.behave({ method: 'GET', path: /allocations/ }, { kind: 'stall' })
  t.equal((await gate.ask('POST', `/pins/${cid}?name=second`)).status, 202)
  t.equal((await gate.ask('POST', `/pins/${cid}?name=second`)).status, 202, 'once more the same')
  t.same(pendingIn(gate), [`alpha ${cid}`, `alpha ${cid}`])
  t.match((await gate.ask('GET', `/pins/${cid}`)).json, { name: 'second' })
  held()
  await comeBack()
  t.equal(gate.cluster.pins.get(cid)?.name, 'second')
})

t.test('a pin whose answer was lost is replayed', async (t) => {
  const gate = await startGate(t, { onOutage: 'journal' })
  gate.cluster.behave({ method: 'POST' }, { kind: 'lose-answer' }, 1)
  t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 202)
  await gate.logged('emptied the journal: every pin was replayed or dropped')
  t.same(askedOf(gate.cluster), [`POST /pins/${cid}`, `POST /pins/${cid}`])
  t.equal(gate.cluster.pins.size, 1)
})

t.test("the cluster's own error is passed on, and nothing is written", async (t) => {
  const gate = await startGate(t, {
    onOutage: 'journal',
    encoders: { free: { options: ['replication'] } },
  })
  const path = `/pins/${cid}?replication-min=5&replication-max=5`
  const answer = await gate.ask('POST', path, { as: 'free' })
  t.equal(answer.status, 500)
  t.match(answer.text, 'not enough peers')
  t.equal(gate.ledger.queue.size, 0)
})

t.test('pins by path are not queued, as their CID is unknown', async (t) => {
  const { gate } = await startAway(t, { encoders: { op: { role: 'operator' } } })
  t.equal((await gate.ask('POST', `/pins/ipfs/${cid}/a`, { as: 'op' })).status, 502)
  t.equal((await gate.ask('POST', `/pins/ipfs/${cid}`, { as: 'op' })).status, 202)
  t.same(pendingIn(gate), [`op ${cid}`])
})

t.test('a bad request is refused as usual', async (t) => {
  const { gate } = await startAway(t)
  t.equal((await gate.ask('POST', `/pins/${cid}?nonsense=1`)).status, 400)
  t.equal((await gate.ask('POST', '/pins/nonsense')).status, 400)
  const wrong = { authorization: 'Bearer nonsense' }
  t.equal((await gate.ask('POST', `/pins/${cid}`, { headers: wrong })).status, 401)
  t.same(pendingIn(gate), [])
})

t.test('waiting pins count against the quotas of their encoder', async (t) => {
  const { gate } = await startAway(t, { limits: { unfinished: 2 }, encoders: { beta: {} } })
  for (const index of [1, 2])
    t.equal((await gate.ask('POST', `/pins/${generatedCid(index)}`)).status, 202)
  const refused = await gate.ask('POST', `/pins/${cid}`)
  t.equal(refused.status, 429)
  t.equal(refused.headers.get('retry-after'), '10')
  t.match(refused.json, { message: 'quota exceeded: too many unfinished pins: 2 of 2' })
  t.equal((await gate.ask('POST', `/pins/${cid}`, { as: 'beta' })).status, 202)
  t.equal(pendingIn(gate).length, 3)
})

t.test('the log says of a pin whether the cluster failed it, or one that waits', async (t) => {
  const { gate } = await startAway(t)
  for (const reason of ['cluster-hung-up', 'journal-pending']) {
    t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 202)
    t.match(await gate.line((line) => line.reason === reason), { outcome: 'journaled' })
  }
})

t.test('what an operator drops or takes down counts as dropped, each pin once', async (t) => {
  const { gate } = await startAway(t)
  for (const index of [1, 2, 3]) await gate.ask('POST', `/pins/${generatedCid(index)}`)
  const { queue, decisions } = gate.ledger
  await decisions.takeDown(generatedCid(1), 'order 12/26')
  const entries = queue.entries()
  t.same(await Promise.all([queue.discard(entries), queue.discard(entries)]), [2, 0])
  t.same(gate.queueReport(), { waiting: 0, replayed: 0, dropped: 3, rejected: 0 })
})

t.test('a pin that is taken down at another gate is dropped with a line in the log', async (t) => {
  const { gate } = await startAway(t)
  await gate.ask('POST', `/pins/${cid}`)
  const [entry] = gate.ledger.queue.entries()
  const atMs = Date.now() + 1000
  const token = `${atMs}/${atMs}/gate2222.7 order 12/26`
  await gate.ledger.decisions.hearTakeDown(cid, token)
  await gate.ledger.decisions.hearTakeDown(cid, token)
  t.same(gate.ledger.queue.entries(), [])
  const text = 'an operator released a pin for good at another gate'
  t.match(await gate.logged(text), {
    ...{ level: 'warn', cid, reason: 'order 12/26' },
    ...{ leaseIds: [entry?.holder], queued: 1 },
  })
  t.equal((await gate.logText()).split(text).length, 2, 'it hears of it once')
})

t.test(
  'a pin that waits with an old key can be requested with the new one, at the quota',
  async (t) => {
    const limits = { leases: 1 }
    const { gate, comeBack } = await startAway(t, {
      encoders: { rotated: { limits } },
      cluster: { health: { intervalMs: 3_600_000, failuresMax: 1 } },
    })
    const as = 'rotated'
    t.equal((await gate.ask('POST', `/pins/${cid}`, { as })).status, 202)
    const key = generateKey()
    const keys = [{ id: 'k2', sha256: digestOf(key) }]
    const settings = { onOutage: 'journal', enforcement: 'enforce' } as const
    gate.replace({ ...settings, encoders: { rotated: { limits, keys } } })
    const headers = { authorization: `Bearer ${key}` }
    t.equal((await gate.ask('POST', `/pins/${cid}`, { headers })).status, 202, 'of one CID')
    const other = generatedCid(1)
    t.equal((await gate.ask('POST', `/pins/${other}`, { headers })).status, 403)
    await comeBack()
    t.same(
      askedOf(gate.cluster)
        .filter((asked) => asked.startsWith('POST'))
        .at(-1),
      `POST /pins/${cid}`,
    )
    t.same([...gate.cluster.pins.keys()], [cid])
    t.same(gate.queueReport(), { waiting: 0, replayed: 1, dropped: 1, rejected: 0 })
    t.equal((await gate.ask('POST', `/pins/${other}`, { headers })).status, 403)
    await gate.ask('DELETE', `/pins/${cid}`, { headers })
    t.equal(
      (await gate.ask('POST', `/pins/${other}`, { headers })).status,
      200,
      'its place is free',
    )
  },
)

t.test('a full queue refuses, and the log says that it is full', async (t) => {
  const { gate } = await startAway(t, { journal: { entriesMax: 1 } })
  t.equal((await gate.ask('POST', `/pins/${generatedCid(1)}`)).status, 202)
  const refused = await gate.ask('POST', `/pins/${cid}`)
  t.equal(refused.status, 503)
  t.equal(refused.headers.get('retry-after'), '5')
  t.equal(pendingIn(gate).length, 1)
  const line = (await gate.logText()).split('\n').find((line) => line.includes('"status":503'))
  t.match(JSON.parse(line ?? '{}'), {
    reason: 'ledger-unavailable',
    upstreamError: 'the queue is full: 1 of 1 pins wait in it',
  })
})

t.test('an encoder that fills the queue leaves a part to others', async (t) => {
  const { gate } = await startAway(t, { journal: { entriesMax: 16 }, encoders: { beta: {} } })
  const statusesOf = async (encoder: string, from: number, count: number) => {
    const answers = []
    for (let n = from; n < from + count; n++)
      answers.push((await gate.ask('POST', `/pins/${generatedCid(n)}`, { as: encoder })).status)
    return answers
  }
  t.same(await statusesOf('alpha', 0, 16), [...Array<number>(14).fill(202), 503, 503])
  t.same(await statusesOf('beta', 100, 2), [202, 503])
})

t.test('a restart changes nothing, also one that goes back to refusing', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const { gate } = await startAway(t, { journal: { directory } })
  await gate.ask('POST', `/pins/${cid}`)
  await gate.close()
  const alpha = { keys: [{ id: 'k1', sha256: digestOf(gate.keys.alpha ?? '') }] }
  const encoders = { alpha }
  const next = await startGate(t, { onOutage: 'refuse', journal: { directory }, encoders })
  await next.logged('emptied the journal: every pin was replayed or dropped')
  t.same(askedOf(next.cluster), [`POST /pins/${cid}`])
})

t.test('a request that waits for a queued pin is answered when it is pinned', async (t) => {
  const { gate, comeBack } = await startAway(t)
  await gate.ask('POST', `/pins/${cid}`)
  const status = gate.ask('GET', `/pins/${cid}?wait=30s`)
  const short = await gate.ask('GET', `/pins/${cid}?wait=1s`)
  t.match(short.text, '"status":"pin_queued"')
  await comeBack()
  t.match((await status).text, '"status":"pinned"')
})

t.test('a gate that closes answers requests that wait for the queue', async (t) => {
  const { gate } = await startAway(t)
  await gate.ask('POST', `/pins/${cid}`)
  const asked = gate.ask('GET', `/pins/${cid}?wait=60s`)
  await gate.ask('GET', `/pins/${cid}`)
  await Promise.all([gate.close(), asked])
  t.match((await asked).text, '"status":"pin_queued"')
})
