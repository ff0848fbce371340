/** Listings: read from the cluster once, for any number of clients at any pace. */
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { withoutStateReads } from '../../support/asked.js'
import { RawClient } from '../../support/raw.js'
import { type Overrides, startGate, type TestGate } from '../../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const plain = { 'accept-encoding': 'identity' }

const shared = (t: Test, overrides: Overrides = {}) =>
  startGate(t, { ...overrides, listing: { maxAgeMs: 60_000, ...overrides.listing } })

/** What the cluster was asked, beside ids. */
const asked = ({ cluster }: TestGate): string[] =>
  withoutStateReads(cluster)
    .map(({ target }) => target)
    .filter((target) => target !== '/id')

/** A client that reads a listing as it comes, over a connection of its own. */
async function reading(gate: TestGate, ...headers: string[]): Promise<RawClient> {
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /pins HTTP/1.1', 'Connection: close', ...headers))
  return client
}

const detail = (headers: Headers): string | undefined =>
  /detail=(\w+)/.exec(headers.get('cache-status') ?? '')?.[1]

t.test(
  'a listing is requested once: clients that come while it runs read it from its start',
  async (t) => {
    const gate = await shared(t)
    const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
    const first = await reading(gate)
    stream.write('{"n":1}\n')
    await first.until('"n":1')
    const second = await reading(gate)
    await second.until('"n":1')
    stream.write('{"n":2}\n')
    await Promise.all([first.until('"n":2'), second.until('"n":2')])
    stream.end('boom')
    for (const client of [first, second]) {
      await client.closed
      t.match(client.text, /"n":1[^]*"n":2[^]*\r\n0\r\nX-Stream-Error: boom\r\n/)
    }
    t.match(first.text, 'detail=fresh')
    t.match(second.text, 'detail=shared')
    t.same(asked(gate), ['/pins'])
    t.match(await gate.line(), { listing: 'fresh', upstreamStatus: 200, streamError: 'boom' })
  },
)

t.test('for a while after its end it is served again, with its age, to all clients', async (t) => {
  const gate = await shared(t, { encoders: { beta: {} } })
  gate.cluster.addPin(cid)
  const fresh = await gate.ask('GET', '/pins')
  const again = await gate.ask('GET', '/pins', { as: 'beta' })
  t.same([detail(fresh.headers), detail(again.headers)], ['fresh', 'cached'])
  t.match(again.headers.get('cache-status'), /^pinwarden; hit/)
  t.match(again.headers.get('age'), /^\d$/)
  t.equal(again.text, fresh.text)
  t.match(again.text, cid)
  t.same(asked(gate), ['/pins'])
  t.match(
    gate.lines.map(({ listing }) => listing),
    ['fresh', 'cached'],
  )
  t.equal(gate.lines[1]?.upstreamStatus, undefined, 'nothing was asked for it')
})

t.test('an empty listing is 204 each time', async (t) => {
  const gate = await shared(t)
  for (const origin of ['fresh', 'cached']) {
    const answer = await gate.ask('GET', '/pins')
    t.equal(answer.status, 204)
    t.equal(detail(answer.headers), origin)
  }
})

t.test('a client that leaves does not end it: a second attempt finds it', async (t) => {
  const gate = await shared(t)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const first = await reading(gate)
  stream.write('{"n":1}\n')
  await first.until('"n":1')
  first.socket.destroy()
  t.match(await gate.line(), { outcome: 'aborted', reason: 'client-left' })
  stream.write('{"n":2}\n')
  const second = await reading(gate)
  await second.until('"n":2')
  stream.end()
  await second.closed
  t.match(second.text, /"n":1[^]*"n":2/)
  t.same(asked(gate), ['/pins'])
})

t.test('nor does a client that leaves before its first byte', async (t) => {
  const gate = await shared(t)
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  gate.cluster.addPin(cid)
  gate.cluster.behave({ path: '/pins' }, { kind: 'hold', until })
  const leave = new AbortController()
  const left = gate.ask('GET', '/pins', { signal: leave.signal })
  await gate.cluster.nextRequest()
  leave.abort()
  await t.rejects(left)
  t.match(await gate.line(), { status: 499, outcome: 'aborted' })
  const stayed = gate.ask('GET', '/pins')
  await gate.ask('GET', '/id')
  release()
  t.equal((await stayed).status, 200)
  t.same(asked(gate), ['/pins'])
})

t.test('an error at its end is delivered, and the next request starts a new one', async (t) => {
  const gate = await shared(t)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  stream.write('{"n":1}\n')
  stream.end('context canceled')
  const client = await reading(gate)
  await client.closed
  t.match(client.text, 'X-Stream-Error: context canceled')
  gate.cluster.reset()
  gate.cluster.addPin(cid)
  const next = await gate.ask('GET', '/pins')
  t.equal(detail(next.headers), 'fresh')
  t.match(next.text, cid)
})

t.test(
  'an error instead of a listing reaches all waiting clients, and is never served again',
  async (t) => {
    const gate = await shared(t)
    gate.cluster.kuboDown = true
    while (asked(gate).length < 2) {
      const answer = await gate.ask('GET', '/pins?local=true')
      t.equal(answer.status, 500)
      t.match(answer.json, { code: 500, message: /could not get pinset/ })
      t.equal(detail(answer.headers), 'fresh')
      t.match(gate.lines.at(-1), { outcome: 'fault', reason: 'cluster-error', status: 500 })
    }
  },
)

t.test(
  'a listing that dies is cut off for all readers, and the next request starts a new one',
  async (t) => {
    const gate = await shared(t)
    gate.cluster.behave({ path: '/pins' }, { kind: 'die-mid-stream', lines: 3 })
    const clients = await Promise.all([reading(gate), reading(gate)])
    for (const client of clients) {
      await client.closed
      t.notMatch(client.text, /\r\n0\r\n/, 'no clean end')
    }
    for (const listing of ['fresh', 'shared']) await gate.line((line) => line.listing === listing)
    t.match(gate.lines, [
      { outcome: 'fault', reason: 'cluster-cut' },
      { outcome: 'fault', reason: 'cluster-cut' },
    ])
    gate.cluster.reset()
    gate.cluster.addPin(cid)
    t.match(await gate.ask('GET', '/pins'), { status: 200, text: cid })
  },
)

t.test('a cluster that cannot be reached is a fault for all waiting clients', async (t) => {
  const gate = await shared(t)
  await gate.cluster.close()
  const answers = await Promise.all([gate.ask('GET', '/pins'), gate.ask('GET', '/pins')])
  for (const answer of answers) t.match(answer, { status: 502, json: { code: 502 } })
  t.same(
    gate.lines.map(({ reason }) => reason),
    ['cluster-unreachable', 'cluster-unreachable'],
  )
})

t.test('whole listings run one at a time, whatever their filter', async (t) => {
  const gate = await shared(t)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const first = await reading(gate)
  stream.write('{"n":1}\n')
  await first.until('"n":1')
  gate.cluster.addPin(cid)
  const second = gate.ask('GET', '/pins?filter=pinned')
  await gate.ask('GET', '/id')
  t.same(asked(gate), ['/pins'], 'the second waits for its turn')
  gate.cluster.reset()
  gate.cluster.addPin(cid)
  stream.end()
  t.match(await second, { status: 200, text: cid })
  t.same(asked(gate), ['/pins?filter=pinned'])
})

t.test('an operator can have a new one, others cannot', async (t) => {
  const gate = await shared(t, { encoders: { chief: { role: 'operator' } } })
  gate.cluster.addPin(cid)
  const headers = { 'cache-control': 'max-age=0, No-Cache' }
  const ask = async (as: string) =>
    detail((await gate.ask('GET', '/pins', { as, headers })).headers)
  t.equal(await ask('alpha'), 'fresh')
  t.equal(await ask('alpha'), 'cached')
  t.equal(await ask('chief'), 'fresh')
  t.equal(await ask('alpha'), 'cached')
  t.equal(asked(gate).length, 2)
})

t.test('an operator who wants a new one waits for the old one to end', async (t) => {
  const gate = await shared(t, { encoders: { chief: { role: 'operator' } } })
  gate.cluster.addPin(cid)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const first = await reading(gate)
  stream.write('{"n":1}\n')
  await first.until('"n":1')
  const headers = { 'cache-control': 'no-cache' }
  const anew = gate.ask('GET', '/pins', { as: 'chief', headers })
  await gate.ask('GET', '/id')
  t.equal(asked(gate).length, 1)
  gate.cluster.reset()
  stream.end()
  t.equal(detail((await anew).headers), 'fresh')
  t.equal(asked(gate).length, 1, 'one more, since the fake forgot')
})

t.test('gzip is for clients that accept it, and all get the same lines', async (t) => {
  const gate = await shared(t)
  gate.cluster.addMany(3000)
  const [compressed, identity] = await Promise.all([
    gate.ask('GET', '/pins', { headers: { 'accept-encoding': 'br, gzip;q=0.5' } }),
    gate.ask('GET', '/pins', { headers: plain }),
  ])
  t.equal(compressed.headers.get('content-encoding'), 'gzip')
  t.equal(identity.headers.get('content-encoding'), null)
  t.equal(compressed.headers.get('vary'), 'accept-encoding')
  t.equal(identity.headers.get('vary'), 'accept-encoding')
  t.equal(compressed.text, identity.text)
  t.equal(identity.text.split('\n').length, 3001)
  const again = await gate.ask('GET', '/pins', { headers: { 'accept-encoding': 'gzip' } })
  t.equal(again.text, identity.text)
  t.same(asked(gate), ['/pins'])
})

t.test('compressed lines are also delivered as they arrive', async (t) => {
  const gate = await shared(t)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const client = await reading(gate, 'Accept-Encoding: gzip')
  stream.write('{"n":1}\n')
  await client.until('\r\n\r\n')
  const body = () => Buffer.concat(chunksOf(Buffer.from(client.text, 'latin1')))
  while (body().length < 20) await once(client.socket, 'grown')
  t.equal(gunzipSync(body(), { finishFlush: 2 }).toString(), '{"n":1}\n')
  stream.end('boom')
  await client.closed
  t.match(client.text, 'X-Stream-Error: boom')
})

t.test('it can be switched off', async (t) => {
  const gate = await shared(t, { listing: { compress: false } })
  gate.cluster.addPin(cid)
  const answer = await gate.ask('GET', '/pins', { headers: { 'accept-encoding': 'gzip' } })
  t.equal(answer.headers.get('content-encoding'), null)
  t.equal(answer.headers.get('vary'), null)
})

t.test('a cluster of one peer is only asked for its own list', async (t) => {
  const gate = await shared(t, { listing: { local: 'auto' } })
  gate.cluster.addPin(cid)
  const first = await gate.ask('GET', '/pins')
  t.match(first.text, cid)
  const filtered = await gate.ask('GET', '/pins?filter=pinned')
  t.match(filtered.text, cid)
  t.same(asked(gate), ['/pins?local=true', '/pins?filter=pinned&local=true'])
  gate.cluster.kuboDown = true
  const down = await gate.ask('GET', '/pins?filter=remote')
  t.equal(down.status, 500, 'an error rather than an empty list')
})

t.test('once a second peer was seen, all peers are asked from then on', async (t) => {
  const gate = await shared(t, { listing: { local: 'auto', maxAgeMs: 0 } })
  gate.cluster.addPin(cid)
  const id = (peers: string[]) => ({
    kind: 'status' as const,
    status: 200,
    body: JSON.stringify({ id: 'a', cluster_peers: peers }),
  })
  for (const peers of [['a'], ['a', 'b'], ['a']]) {
    const undo = gate.cluster.behave({ path: '/id' }, id(peers))
    await gate.ask('GET', '/pins')
    undo()
  }
  t.same(asked(gate), ['/pins?local=true', '/pins', '/pins'])
  t.match(await gate.logText(), 'the cluster has several peers; listings')
})

t.test('a second peer that was seen before the restart may be down now', async (t) => {
  const stateDirectory = t.testdir()
  const local = { listing: { local: 'auto' as const }, stateDirectory }
  const before = await shared(t, local)
  const body = JSON.stringify({ id: 'a', cluster_peers: ['a', 'b'] })
  before.cluster.behave({ path: '/id' }, { kind: 'status', status: 200, body })
  await before.ask('GET', '/pins')
  await before.close()
  const gate = await shared(t, local)
  gate.cluster.addPin(cid)
  await gate.ask('GET', '/pins')
  t.same(asked(gate), ['/pins'])
})

t.test('a cluster that does not report its peers is asked in full', async (t) => {
  const gate = await shared(t, { listing: { local: 'auto', maxAgeMs: 0 } })
  gate.cluster.addPin(cid)
  for (const body of ['{}', 'null', '{"cluster_peers":null}', 'nonsense']) {
    const undo = gate.cluster.behave({ path: '/id' }, { kind: 'status', status: 200, body })
    await gate.ask('GET', '/pins')
    undo()
  }
  const undo = gate.cluster.behave({ path: '/id' }, { kind: 'status', status: 500 })
  await gate.ask('GET', '/pins')
  undo()
  const endless = gate.cluster.behave({ path: '/id' }, { kind: 'stream', lines: 1e5, bytes: 1000 })
  await gate.ask('GET', '/pins')
  endless()
  const silent = gate.cluster.behave(
    { path: '/id' },
    { kind: 'status', status: 200, body: '{"cluster_peers":[]}' },
  )
  t.match(await gate.ask('GET', '/pins'), { status: 200, text: cid })
  silent()
  t.same(asked(gate), Array(7).fill('/pins'))
})

t.test('no empty list is believed where Kubo may be down', async (t) => {
  const gate = await shared(t, { listing: { local: 'auto' }, cluster: { idTimeoutMs: 1000 } })
  gate.cluster.addPin(cid)
  gate.cluster.kuboDown = true
  const hanging = gate.cluster.behave({ path: '/id' }, { kind: 'stall' })
  const [one, other] = await Promise.all([gate.ask('GET', '/pins'), gate.ask('GET', '/pins')])
  for (const { status, headers, json } of [one, other]) {
    t.equal(status, 503)
    t.ok(headers.has('retry-after'))
    t.same(json, { code: 503, message: 'the cluster is not available' })
  }
  t.match(await gate.line(), {
    outcome: 'fault',
    reason: 'cluster-unavailable',
    upstreamError: /lists no pin/,
  })
  t.same(asked(gate), ['/pins', '/pins?local=true'], 'asked once for all who wait')
  hanging()
  gate.cluster.kuboDown = false
  t.match(await gate.ask('GET', '/pins'), { status: 200, text: cid }, 'nothing of it was kept')
})

t.test('an empty list from several peers, or from an unknown number, is verified', async (t) => {
  for (const peers of [['a', 'b'], []]) {
    const gate = await shared(t, { listing: { local: 'auto' } })
    const body = JSON.stringify({ id: 'a', cluster_peers: peers })
    gate.cluster.behave({ path: '/id' }, { kind: 'status', status: 200, body })
    for (const query of ['', '?filter=pinned', '?local=false']) {
      gate.cluster.kuboDown = true
      t.equal((await gate.ask('GET', `/pins${query}`)).status, 503, query)
      gate.cluster.kuboDown = false
      t.equal((await gate.ask('GET', `/pins${query}`)).status, 204, query)
      if (query !== '?filter=pinned')
        gate.replace({ cluster: { queueMax: peers.length + query.length } })
    }
    await gate.close()
  }
})

t.test('a listing without clients is not read, and turns go round the encoders', async (t) => {
  const gate = await shared(t, { encoders: { beta: {} }, listing: { perEncoderMax: 20 } })
  gate.cluster.addPin(cid)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const leave = new AbortController()
  const filters = ['pinned', 'remote', 'sharded', 'unexpectedly_unpinned', 'pinned,remote']
  const first = gate.ask('GET', '/pins')
  await gate.cluster.nextRequest()
  const left = filters.map((filter) =>
    gate.ask('GET', `/pins?filter=${filter}`, { signal: leave.signal }).catch(() => undefined),
  )
  const stays = gate.ask('GET', '/pins?filter=sharded,remote')
  const same = gate.ask('GET', '/pins?filter=remote,%20sharded,remote', { as: 'beta' })
  await gate.ask('GET', '/id')
  const other = gate.ask('GET', '/pins?filter=pinned,sharded', { as: 'beta' })
  await gate.ask('GET', '/id')
  leave.abort()
  await Promise.all(left)
  const gone = () => gate.lines.filter(({ outcome }) => outcome === 'aborted').length
  while (gone() < filters.length) await gate.ask('GET', '/id')
  gate.cluster.reset()
  stream.end()
  await Promise.all([first, stays, same, other])
  t.same(
    asked(gate).filter((target) => /filter=[^&]*$/.test(target)),
    ['/pins?filter=remote%2Csharded', '/pins?filter=pinned%2Csharded'],
  )
})

t.test('a listing without readers delays no other, and is cached', async (t) => {
  const gate = await shared(t, { encoders: { beta: {} } })
  gate.cluster.addPin(cid)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' }, 1)
  const leave = new AbortController()
  const first = gate.ask('GET', '/pins', { signal: leave.signal }).catch(() => undefined)
  await gate.cluster.nextRequest()
  leave.abort()
  await first
  const other = await gate.ask('GET', '/pins?filter=pinned', { as: 'beta' })
  t.match(other, { status: 200, text: cid })
  stream.write(`{"cid":"${cid}"}\n`)
  stream.end()
  t.equal(detail((await gate.ask('GET', '/pins')).headers), 'cached')
})

t.test(
  '16 spellings that are requested and abandoned while a peer hangs block no other listing',
  async (t) => {
    const gate = await shared(t, {
      encoders: { beta: {}, less: { deny: ['list'] } },
      listing: { perEncoderMax: 64 },
    })
    gate.cluster.addPin(cid)
    gate.cluster.behave({ path: /filter=/ }, { kind: 'stall' })
    const states = ['cluster_error', 'pin_error', 'unpin_error', 'pinning', 'unpinning', 'unpinned']
    const leave = new AbortController()
    const hung = states.flatMap((one) =>
      states.map((other) =>
        gate
          .ask('GET', `/pins?filter=${one},${other}`, { as: 'less', signal: leave.signal })
          .catch(() => undefined),
      ),
    )
    await gate.cluster.nextRequest()
    t.match(await gate.ask('GET', '/pins', { as: 'beta' }), { status: 200 })
    leave.abort()
    await Promise.all(hung)
    gate.cluster.reset()
    t.match(await gate.ask('GET', '/pins?filter=queued', { as: 'beta' }), { status: 204 })
  },
)

t.test('filters on operation states are cheap: passed on, shared for a second', async (t) => {
  const gate = await shared(t, { listing: { local: 'auto' } })
  const answers = await Promise.all([
    gate.ask('GET', '/pins?filter=error,queued'),
    gate.ask('GET', '/pins?filter=error,%20queued'),
  ])
  t.same(
    answers.map(({ status }) => status),
    [204, 204],
  )
  t.same(
    gate.cluster.requests.map(({ target }) => target),
    ['/pins?filter=error%2Cqueued'],
    'nor is the cluster asked for its peers',
  )
  let origin = 'cached'
  while (origin !== 'fresh')
    origin = detail((await gate.ask('GET', '/pins?filter=error,queued')).headers) ?? ''
  t.equal(gate.cluster.requests.length, 2)
})

t.test('the number of concurrent listings is bounded, for each encoder and in total', async (t) => {
  const limits = { perEncoderMax: 1, readersMax: 2 }
  const gate = await shared(t, { listing: limits, encoders: { beta: {}, gamma: {} } })
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const first = await reading(gate)
  stream.write('{"n":1}\n')
  await first.until('"n":1')

  const own = await gate.ask('GET', '/pins')
  t.equal(own.status, 429)
  t.same(own.json, { code: 429, message: 'too many listings read at once' })
  t.equal(own.headers.get('retry-after'), '1')
  const leave = new AbortController()
  const second = await fetch(`${gate.url}/pins`, {
    headers: { authorization: gate.basic('beta') },
    signal: leave.signal,
  })
  t.equal(second.status, 200)
  const third = await gate.ask('GET', '/pins', { as: 'gamma' })
  t.equal(third.status, 503)
  t.same(third.json, { code: 503, message: 'too many listings are being read' })
  leave.abort()
  await gate.line((line) => line.encoder === 'beta')
  stream.end()
  await first.closed
  t.equal((await gate.ask('GET', '/pins')).status, 200, 'there is room again')
  t.same(asked(gate), ['/pins'])
})

t.test(
  'a reader that reads nothing is cut off, and the others and the copy continue',
  async (t) => {
    const gate = await shared(t, { listing: { stallMs: 1000 } })
    gate.cluster.behave(
      { path: '/pins' },
      { kind: 'stream', lines: 40_000, bytes: 1000, chunkBytes: 32_768 },
    )
    const stalled = await reading(gate)
    stalled.socket.pause()
    const whole = await gate.ask('GET', '/pins', { headers: plain })
    t.equal(whole.text.split('\n').length, 40_001)
    t.match(await gate.line((line) => line.outcome === 'aborted'), { reason: 'client-stalled' })
    stalled.socket.destroy()
    t.equal((await gate.ask('GET', '/pins', { headers: plain })).text, whole.text)
    t.same(asked(gate), ['/pins'])
  },
)

t.test('with a spool that is full a listing passes through, and holds up no other', async (t) => {
  for (const listing of [{ spoolBytesMax: 0 }, { directory: '/nonexistent' }]) {
    const gate = await shared(t, { listing })
    const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
    const first = await reading(gate)
    // More than may wait in memory: when it has come, the disk has refused some of it.
    const line = `{"pad":"${'1'.repeat(999_989)}"}\n`
    stream.write(`${line.repeat(8)}{"n":1}\n`)
    await first.until('"n":1')
    const second = gate.ask('GET', '/pins', { headers: plain })
    await gate.ask('GET', '/id')
    while (asked(gate).length < 2) await gate.cluster.nextRequest()
    stream.end()
    await first.closed
    t.match(first.text, /"n":1\}\n\r\n0\r\n/)
    t.equal((await second).text.length, 8_000_008)
    t.same(asked(gate), ['/pins', '/pins'])
    t.match(await gate.logText(), 'could not spool a listing')
  }
})

t.test('a listing that no client can join ends with its last reader', async (t) => {
  const gate = await shared(t, { listing: { spoolBytesMax: 0 } })
  gate.cluster.behave({ path: '/pins' }, { kind: 'stream', lines: 100_000, bytes: 1000 })
  const client = await reading(gate)
  const received = await gate.cluster.nextRequest()
  await client.until('HTTP/1.1 200')
  client.socket.destroy()
  await received.aborted
  gate.cluster.reset()
  gate.cluster.addPin(cid)
  t.match(await gate.ask('GET', '/pins'), { status: 200, text: cid })
})

t.test('settings with another cluster drop the cached listings of the old one', async (t) => {
  const gate = await shared(t)
  const other = await startGate(t)
  other.cluster.addPin(cid)
  t.equal((await gate.ask('GET', '/pins')).status, 204)
  gate.replace({ clusterUrl: other.cluster.url, listing: { maxAgeMs: 60_000 } })
  t.match(await gate.ask('GET', '/pins'), { status: 200, text: cid })
})

t.test('no client joins a listing of the former cluster', async (t) => {
  const gate = await shared(t)
  const other = await startGate(t)
  other.cluster.addPin(cid)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const old = await reading(gate)
  stream.write('{"n":1}\n')
  await old.until('"n":1')
  gate.replace({ clusterUrl: other.cluster.url, listing: { maxAgeMs: 60_000 } })
  const next = gate.ask('GET', '/pins')
  stream.write('{"n":2}\n')
  stream.end()
  await old.closed
  t.match(old.text, /"n":1[^]*"n":2/, 'who reads it goes on')
  t.match(await next, { status: 200, text: cid })
  t.equal(detail((await gate.ask('GET', '/pins')).headers), 'cached')
})

t.test('and it ends with its last reader', async (t) => {
  const gate = await shared(t)
  const other = await startGate(t)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const client = await reading(gate)
  const received = await gate.cluster.nextRequest()
  stream.write('{"n":1}\n')
  await client.until('"n":1')
  gate.replace({ clusterUrl: other.cluster.url })
  client.socket.destroy()
  await received.aborted
  t.equal((await gate.ask('GET', '/pins')).status, 204, 'the next one has its turn')
})

/** The data of chunks, as far as they are there. */
function chunksOf(message: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  let at = message.indexOf('\r\n\r\n') + 4
  for (;;) {
    const lineEnd = message.indexOf('\r\n', at)
    if (at < 4 || lineEnd < 0) return chunks
    const length = parseInt(message.toString('latin1', at, lineEnd), 16)
    if (!(length > 0) || message.length < lineEnd + 2 + length) return chunks
    chunks.push(message.subarray(lineEnd + 2, lineEnd + 2 + length))
    at = lineEnd + 4 + length
  }
}

t.test('a client that leaves between two parts also frees its place', async (t) => {
  const gate = await shared(t)
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const client = await reading(gate)
  // More than stays in memory: the copy has a file, open as long as a client reads it.
  stream.write(`${'1'.repeat(3_000_000)}\n{"n":1}\n`)
  await client.until('"n":1')
  const before = readdirSync('/proc/self/fd').length
  client.socket.destroy()
  await gate.line()
  stream.write('{"n":2}\n')
  stream.end('boom')
  const next = await reading(gate)
  await next.closed
  await gate.close()
  t.ok(readdirSync('/proc/self/fd').length < before, 'its file is closed')
})

t.test('an HTTP/1.0 client learns by a reset that a listing was cut', async (t) => {
  const gate = await shared(t)
  for (const path of ['/pins', `/pins?cids=${cid}`]) {
    const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
    const client = await RawClient.to(gate.url)
    const errors: unknown[] = []
    client.socket.on('error', (error) => errors.push(error))
    client.write(`GET ${path} HTTP/1.0\r\nAuthorization: ${gate.basic()}\r\n\r\n`)
    stream.write(`{"cid":"${cid}","n":1,"peer_map":{}}\n`)
    // With nothing left to read: otherwise libuv may take the reset for an end.
    await client.until('"n":1')
    stream.destroy()
    await client.closed
    t.match(errors, [{ code: 'ECONNRESET' }], path)
    gate.cluster.reset()
  }
})
