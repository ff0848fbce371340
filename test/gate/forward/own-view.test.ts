/** `GET /pins?owner=me`: what the caller holds, page by page, and nothing of anybody else. */
import t from 'tap'
import { generatedCid } from '../../support/fake-cluster/index.js'
import { startGate, type TestGate } from '../../support/start-gate.js'

const cids = Array.from({ length: 5 }, (_, index) => generatedCid(index)).sort()

/** The first request begins the count. */
async function counted(gate: TestGate): Promise<void> {
  const answer = await gate.ask('GET', '/pins?owner=me')
  if (answer.status !== 503) return
  const text = () => gate.cluster.requests.some(({ target }) => target.startsWith('/allocations?'))
  while (!text()) await gate.cluster.nextRequest()
  while ((await gate.ask('GET', '/pins?owner=me')).status === 503)
    await new Promise((resolve) => setImmediate(resolve))
}

const cidsIn = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { cid: string }).cid)
    .sort()

t.test('until leases are counted it is 503, with a Retry-After', async (t) => {
  const gate = await startGate(t)
  gate.cluster.behave({ path: '/allocations' }, { kind: 'stall' })
  const answer = await gate.ask('GET', '/pins?owner=me')
  t.match(answer, { status: 503, json: { code: 503 } })
  t.equal(answer.headers.get('retry-after'), '5')
  t.match(gate.lines.at(-1), { outcome: 'refused', reason: 'leases-uncounted' })
})

t.test(
  'a new ledger on the disk is counted at the first request',
  { timeout: 10_000 },
  async (t) => {
    const gate = await startGate(t, { onOutage: 'journal' })
    await counted(gate)
    t.equal((await gate.ask('GET', '/pins?owner=me')).status, 204)
  },
)

t.test("it shows the status of the caller's pins, and of no others", async (t) => {
  const gate = await startGate(t, { encoders: { beta: {} } })
  for (const cid of cids.slice(0, 3)) await gate.ask('POST', `/pins/${cid}`)
  for (const cid of cids.slice(2)) await gate.ask('POST', `/pins/${cid}`, { as: 'beta' })
  gate.cluster.addMany(3)
  await counted(gate)
  const mine = await gate.ask('GET', '/pins?owner=me')
  t.equal(mine.status, 200)
  t.same(cidsIn(mine.text), cids.slice(0, 3))
  t.equal(mine.headers.get('x-total-count'), '3')
  t.equal(mine.headers.get('link'), null)
  t.match(mine.text, '"status":"pinned"')
  const theirs = await gate.ask('GET', '/pins?owner=me', { as: 'beta' })
  t.same(cidsIn(theirs.text), cids.slice(2))
  t.equal(gate.cluster.requests.filter(({ target }) => target === '/pins').length, 0)
})

t.test('a pin through the gate appears immediately', async (t) => {
  const gate = await startGate(t)
  await counted(gate)
  t.equal((await gate.ask('GET', '/pins?owner=me')).status, 204)
  for (const cid of cids) await gate.ask('POST', `/pins/${cid}`)
  await gate.ask('POST', `/pins/${cids[0] ?? ''}`)
  await gate.ask('DELETE', `/pins/${cids[1] ?? ''}`)
  const answer = await gate.ask('GET', '/pins?owner=me')
  t.same(cidsIn(answer.text), [cids[0], ...cids.slice(2)])
})

t.test('it has pages, each of which names the next', async (t) => {
  const gate = await startGate(t)
  await counted(gate)
  for (const cid of cids) await gate.ask('POST', `/pins/${cid}`)
  const seen: string[] = []
  let next = '/pins?owner=me&limit=2'
  for (let page = 0; page < 3; page++) {
    const answer = await gate.ask('GET', next)
    seen.push(...cidsIn(answer.text))
    const link = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')
    t.equal(link !== null, page < 2)
    next = link?.[1] ?? ''
  }
  t.same(seen.sort(), cids, 'each once')
})

t.test('an impossible page is refused, and nothing reaches the cluster', async (t) => {
  const gate = await startGate(t, { encoders: { none: { role: 'pinner', deny: ['status'] } } })
  for (const query of ['owner=you', 'owner=me&limit=0', 'owner=me&limit=101', 'owner=me&after=x'])
    t.match(await gate.ask('GET', `/pins?${query}`), { status: 400 }, query)
  t.equal((await gate.ask('GET', '/pins?owner=me', { as: 'none' })).status, 403)
  t.equal(gate.cluster.requests.length, 0)
})
