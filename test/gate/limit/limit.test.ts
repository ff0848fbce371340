/** Phase 2: budgets per encoder and class, and requests in flight. */
import t from 'tap'
import { withoutStateReads } from '../../support/asked.js'
import { startGate } from '../../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

t.test('a budget is spent to the last request, then 429 says how long to wait', async (t) => {
  const gate = await startGate(t, { limits: { writes: { max: 2, windowSeconds: 60 } } })
  const answers = []
  for (let i = 0; i < 3; i++) answers.push(await gate.ask('POST', `/pins/${cid}`))
  t.same(
    answers.map((answer) => answer.status),
    [200, 200, 429],
  )
  t.same(
    answers.map((answer) => answer.headers.get('ratelimit')?.replace(/t=\d+/, 't=…')),
    ['"writes";r=1;t=…', '"writes";r=0;t=…', '"writes";r=0;t=…'],
  )
  const refused = answers[2]
  t.equal(refused?.headers.get('ratelimit-policy'), '"writes";q=2;w=60')
  t.match(refused?.headers.get('retry-after'), /^([1-9]|[1-5]\d|60)$/)
  t.same(refused?.json, { code: 429, message: 'rate limit exceeded: 2 writes in 60 s' })
  t.match(gate.lines.at(-1), { status: 429, reason: 'rate-limited', encoder: 'alpha' })
  t.equal(withoutStateReads(gate.cluster).length, 2)
})

t.test('the plugin sends no headers of its own', async (t) => {
  const gate = await startGate(t)
  const { headers } = await gate.ask('GET', '/id')
  t.notOk(
    [...headers.keys()].some(
      (name) => name.startsWith('x-ratelimit') || name === 'ratelimit-limit',
    ),
  )
})

t.test('reads, listings and writes are counted separately', async (t) => {
  const one = { max: 1, windowSeconds: 60 }
  const gate = await startGate(t, { limits: { reads: one, writes: one, listings: one } })
  const asks = ['GET /id', `POST /pins/${cid}`, 'GET /pins']
  for (const status of [200, 429]) {
    for (const ask of asks) {
      const [method = '', path = ''] = ask.split(' ')
      t.equal((await gate.ask(method, path)).status, status, ask)
    }
  }
})

t.test("one encoder's exhaustion never touches another", async (t) => {
  const gate = await startGate(t, {
    limits: { reads: { max: 1, windowSeconds: 60 } },
    encoders: { beta: {} },
  })
  await gate.ask('GET', '/id')
  t.equal((await gate.ask('GET', '/id')).status, 429)
  t.equal((await gate.ask('GET', '/id', { as: 'beta' })).status, 200)
})

t.test('Basic and Bearer of one encoder share its budget', async (t) => {
  const gate = await startGate(t, { limits: { reads: { max: 1, windowSeconds: 60 } } })
  await gate.ask('GET', '/id')
  const headers = { authorization: `Bearer ${gate.keys.alpha ?? ''}` }
  t.equal((await gate.ask('GET', '/id', { headers })).status, 429)
})

t.test("an encoder's own limit overrides the default, field by field", async (t) => {
  const gate = await startGate(t, {
    limits: { reads: { max: 1, windowSeconds: 60 } },
    encoders: { beta: { limits: { reads: { max: 2 } } } },
  })
  const answers = []
  for (let i = 0; i < 3; i++) answers.push(await gate.ask('GET', '/id', { as: 'beta' }))
  t.same(
    answers.map((answer) => answer.status),
    [200, 200, 429],
  )
  t.equal(answers[0]?.headers.get('ratelimit-policy'), '"reads";q=2;w=60')
})

t.test('refused and unknown routes also spend the budget', async (t) => {
  const gate = await startGate(t, {
    limits: { reads: { max: 3, windowSeconds: 60 }, writes: { max: 2, windowSeconds: 60 } },
  })
  for (const path of ['/nowhere', '/allocations', '/pins/bad']) await gate.ask('GET', path)
  t.equal((await gate.ask('GET', '/id')).status, 429)
  for (const path of ['/add', '/ipfs/gc']) await gate.ask('POST', path)
  t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 429)
  t.equal(gate.cluster.requests.length, 0)
})

t.test('a budget in use survives other settings', async (t) => {
  const limits = { reads: { max: 1, windowSeconds: 60 } }
  const gate = await startGate(t, { limits })
  await gate.ask('GET', '/id')
  gate.replace({ limits, encoders: { gamma: {} } })
  t.equal((await gate.ask('GET', '/id')).status, 429)
})

t.test('too many requests in flight get 429, and each that ends makes room', async (t) => {
  const gate = await startGate(t, { limits: { inFlight: 2 }, encoders: { beta: {} } })
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  gate.cluster.behave({ path: '/id' }, { kind: 'hold', until })
  const held = [gate.ask('GET', '/id'), gate.ask('GET', '/id')]
  while (gate.cluster.requests.length < 2) await gate.cluster.nextRequest()

  const refused = await gate.ask('GET', '/id')
  t.equal(refused.status, 429)
  t.equal(refused.headers.get('retry-after'), '1')
  t.match(gate.lines.at(-1), { reason: 'too-many-in-flight' })
  const other = gate.ask('GET', '/id', { as: 'beta' })
  release()
  t.same(
    (await Promise.all([...held, other])).map((answer) => answer.status),
    [200, 200, 200],
  )
  t.equal((await gate.ask('GET', '/id')).status, 200)
})
