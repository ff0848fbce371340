/** Walks the table of bounds: over each one, the answer and the metric it names. */
import { globSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { openLog } from '../../src/log/log.js'
import { registerLog } from '../../src/log/log-metrics.js'
import type { AccessLine } from '../../src/log/access-line.js'
import { openRegistry, type Registry } from '../../src/metrics/registry.js'
import { registerRequests } from '../../src/gate/record/request-metrics.js'
import { PinTracker } from '../../src/tracking/tracker.js'
import { registerTracking } from '../../src/tracking/tracking-metrics.js'
import { clock } from '../support/clock.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { startFailingWire } from '../support/failing-wire.js'
import { noRedis, TestRedis } from '../support/redis.js'
import { startAdmin } from '../admin/start-admin.js'
import { head, RawClient } from '../support/raw.js'
import { type Overrides, startGate, type TestGate } from '../support/start-gate.js'

const cid = generatedCid(1)
const bare = head('GET /id HTTP/1.1', 'Host: x')
const one = { max: 1, windowSeconds: 60 }
const line: AccessLine = {
  ...{ id: 'x', traceId: 'x', client: '192.0.2.1', method: 'GET', path: '/id', status: 200 },
  ...{ outcome: 'answered', bytesIn: 1, bytesOut: 1, durationMs: 1 },
}

interface Trial {
  readonly metrics: Registry
  /** @returns what is read, as the table says it */
  readonly goOver: () => Promise<string>
}

/** @returns undefined: a program that it needs is not installed */
type Try = (t: Test) => Promise<Trial | undefined>

/** A gate with these settings, and what takes it over a bound. */
const gateTry =
  (overrides: Overrides, goOver: (gate: TestGate, t: Test) => Promise<string>): Try =>
  async (t) => {
    const gate = await startGate(t, overrides)
    return { metrics: gate.metrics, goOver: () => goOver(gate, t) }
  }

/** The log line of the refused request. */
async function logged(gate: TestGate): Promise<string> {
  const { status, reason } = await gate.line(
    (line) => (line.reason ?? 'client-left') !== 'client-left',
  )
  return `${status} ${reason ?? ''}`
}

/** The bytes are sent on a connection of their own. */
const sending = (overrides: Overrides, bytes: (gate: TestGate) => string): Try =>
  gateTry(overrides, async (gate) => {
    const client = await RawClient.to(gate.url)
    client.write(bytes(gate))
    const said = await logged(gate)
    client.socket.destroy()
    return said
  })

/** The same request so often; the last one is over. */
const asking = (
  overrides: Overrides,
  method: string,
  path: (n: number) => string,
  times = 2,
): Try =>
  gateTry({ enforcement: 'enforce', ...overrides }, async (gate) => {
    if (overrides.limits !== undefined && 'leases' in overrides.limits)
      do await gate.ask('GET', '/pins?owner=me')
      while (gate.lines.at(-1)?.status === 503)
    for (let n = 0; n < times; n++) await gate.ask(method, path(n))
    const { status, reason } = gate.lines.at(-1) ?? line
    return `${status} ${reason ?? ''}`
  })

async function signedIn(gate: TestGate): Promise<RawClient> {
  const client = await RawClient.to(gate.url)
  await client.write(gate.head('GET /id HTTP/1.1')).until(/\}\n$/)
  return client
}

const refusedPlace = async (gate: TestGate): Promise<string> => {
  const inPlace = await signedIn(gate)
  await (
    await RawClient.to(gate.url)
  ).closed
  inPlace.socket.destroy()
  return `${await logged(gate)} in the log; closed`
}

/** A listing is held while another one is asked for. */
const heldListing = (listing: object): Try =>
  gateTry({ listing, encoders: { beta: {} } }, async (gate) => {
    const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
    const first = gate.ask('GET', '/pins')
    await gate.cluster.nextRequest()
    await gate.ask('GET', '/pins?filter=pinned')
    const said = await logged(gate)
    stream.end()
    await first
    return said
  })

/** One request holds the only connection, and none may wait for it. */
const overTheLane = (method: string, path: (n: number) => string): Try =>
  gateTry(
    {
      cluster: { connections: 1, listingConnections: 1, queueMax: 0 },
      encoders: { beta: { role: 'operator' } },
    },
    async (gate) => {
      const stalled = gate.cluster.behave({ method, path: /\/pins\// }, { kind: 'stall' })
      const first = gate.ask(method, path(1), { as: 'beta' })
      const isHeld = () => gate.cluster.requests.some((asked) => asked.method === method)
      while (!isHeld()) await gate.cluster.nextRequest()
      await gate.ask(method, path(2), { as: 'beta' })
      const said = await logged(gate)
      stalled.release()
      await first
      return said
    },
  )

/** By a clock that stands still. */
const trackerTry =
  (goOver: (tracker: PinTracker) => string): Try =>
  () => {
    const nothing = () => Promise.resolve()
    const metrics = openRegistry('test')
    const tracker = new PinTracker({
      ...{ readQueue: nothing, readStatus: nothing, ...clock() },
      ...{ onEvent: () => undefined, onError: () => undefined },
    })
    registerTracking(metrics, tracker)
    return Promise.resolve({ metrics, goOver: () => Promise.resolve(goOver(tracker)) })
  }

const tries: Readonly<Record<string, Try>> = {
  'connections in all': gateTry({ listen: { connectionsMax: 1 } }, refusedPlace),
  'connections of an address': gateTry({ listen: { connectionsPerAddressMax: 1 } }, refusedPlace),
  'connections of strangers': gateTry({ listen: { connectionsMax: 1 } }, async (gate) => {
    const stranger = await RawClient.to(gate.url)
    const encoder = await signedIn(gate)
    await stranger.closed
    encoder.socket.destroy()
    return 'closed'
  }),
  'connections of an encoder': gateTry({ listen: { connectionsMax: 8 } }, async (gate) => {
    const all = []
    for (let count = 0; count < 8; count++) all.push(await signedIn(gate))
    await all[0]?.closed
    for (const { socket } of all) socket.destroy()
    return 'closed'
  }),
  'TLS handshakes': gateTry(
    { tls: true, listen: { connectionsPerAddressMax: 4 } },
    async ({ port }) => {
      const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')] as const
      await Promise.race(
        sockets.map((socket) =>
          once(
            socket.on('error', () => undefined),
            'close',
          ),
        ),
      )
      for (const socket of sockets) socket.destroy()
      return 'closed'
    },
  ),
  'TLS handshakes a second': gateTry(
    { tls: true, listen: { connectionsPerAddressMax: 4 } },
    async (gate) => {
      for (let count = 0; count < 5; count++) {
        const socket = connect(gate.port, '127.0.0.1').on('error', () => undefined)
        await once(socket, 'connect')
        socket.destroy()
      }
      return `${await logged(gate)} in the log; closed`
    },
  ),
  'pins and unpins at the cluster': overTheLane('POST', (n) => `/pins/${generatedCid(n)}`),
  'statuses at the cluster': overTheLane('GET', (n) => `/pins/${generatedCid(n)}`),
  'recovers of all pins': overTheLane('POST', () => '/pins/recover'),
  'seconds of a wait': asking({}, 'GET', () => `/pins/${cid}?wait=61s`, 1),
  'places of the admin listener': async (t) => {
    const { at, metrics } = await startAdmin(t)
    const goOver = async () => {
      const kept: RawClient[] = []
      for (let count = 0; count < 65; count++) kept.push(await RawClient.to(at))
      await kept[0]?.closed
      for (const { socket } of kept) socket.destroy()
      return 'closed'
    }
    return { metrics, goOver }
  },
  'refused credentials on a connection': gateTry({}, async (gate) => {
    const client = await RawClient.to(gate.url)
    await client.write(bare.repeat(9)).closed
    return `${await logged(gate)}; closed`
  }),
  'refused credentials of an address': gateTry(
    { limits: { failures: { max: 1 } } },
    async (gate) => {
      for (let n = 0; n < 2; n++) await fetch(`${gate.url}/id`)
      const { status, reason } = gate.lines.at(-1) ?? line
      return `${status} ${reason ?? ''}`
    },
  ),
  'bytes of a head': sending({}, (gate) =>
    gate.head('GET /id HTTP/1.1', `A: ${'a'.repeat(30_000)}`),
  ),
  'lines of a head': sending({}, (gate) =>
    gate.head('GET /id HTTP/1.1', ...Array<string>(63).fill('A: b')),
  ),
  'bytes of a target': sending({}, (gate) => gate.head(`GET /${'a'.repeat(21_000)} HTTP/1.1`)),
  'bytes of a body': sending({}, (gate) =>
    gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 5000'),
  ),
  'time for a head': sending({ listen: { headersTimeoutMs: 1000 } }, () => 'GET /id HTTP/1.1\r\n'),
  'pipelined requests': gateTry({}, async (gate, t) => {
    gate.cluster.behave({ path: '/id' }, { kind: 'stall' })
    const client = await RawClient.to(gate.url)
    client.write(gate.head('GET /id HTTP/1.1').repeat(300))
    await gate.cluster.nextRequest()
    t.equal(gate.cluster.requests.length, 1)
    t.teardown(() => client.socket.destroy())
    return 'none: the gate stops reading'
  }),
  'an answer that is not taken': gateTry({ listen: { stallMs: 1000 } }, async (gate) => {
    gate.cluster.behave({ path: '/pins' }, { kind: 'stream', lines: 100_000, bytes: 1000 })
    const stalled = await RawClient.to(gate.url)
    stalled.socket.pause()
    stalled.write(gate.head(`GET /pins?cids=${cid} HTTP/1.1`))
    await gate.line(({ reason }) => reason === 'client-stalled')
    stalled.socket.destroy()
    return 'cut off'
  }),
  reads: asking({ limits: { reads: one } }, 'GET', () => '/id'),
  listings: asking({ limits: { listings: one } }, 'GET', () => '/pins'),
  writes: asking({ limits: { writes: one } }, 'POST', (n) => `/pins/${generatedCid(n)}`),
  'requests in flight': gateTry({ limits: { inFlight: 1 } }, async (gate) => {
    const stalled = gate.cluster.behave({ path: '/id' }, { kind: 'stall' })
    const first = gate.ask('GET', '/id')
    await gate.cluster.nextRequest()
    await gate.ask('GET', '/id')
    const said = await logged(gate)
    stalled.release()
    await first
    return said
  }),
  leases: asking({ limits: { leases: 1 } }, 'POST', (n) => `/pins/${generatedCid(n)}`),
  'unfinished pins': gateTry(
    { enforcement: 'enforce', limits: { unfinished: 1 } },
    async (gate) => {
      gate.cluster.statusOfNewPins = 'pinning'
      for (const n of [1, 2]) await gate.ask('POST', `/pins/${generatedCid(n)}`)
      return logged(gate)
    },
  ),
  'listings read by an encoder': heldListing({ perEncoderMax: 1 }),
  'listings read in all': heldListing({ readersMax: 1 }),
  'time for the lock of a pin': gateTry({ enforcement: 'enforce' }, async (gate) => {
    const stalled = gate.cluster.behave({ method: 'POST' }, { kind: 'stall' })
    const first = gate.ask('POST', `/pins/${cid}`)
    while (!gate.cluster.requests.some(({ method }) => method === 'POST'))
      await gate.cluster.nextRequest()
    gate.replace({ enforcement: 'enforce', cluster: { writeTimeoutMs: 1000 } })
    await gate.ask('POST', `/pins/${cid}`)
    const said = await logged(gate)
    stalled.release()
    await first
    return said
  }),
  'time for the store': async (t) => {
    if (noRedis !== false) return undefined
    const redis = await TestRedis.start(t)
    const metAt = async (failMode: 'open' | 'closed') => {
      const wire = await startFailingWire(t, redis.port)
      const store = { redis: wire.url, timeoutMs: 300, failMode }
      return { wire, gate: await startGate(t, { enforcement: 'enforce', store }) }
    }
    const [open, closed] = await Promise.all([metAt('open'), metAt('closed')])
    return {
      metrics: closed.gate.metrics,
      goOver: async () => {
        for (const { wire } of [open, closed]) wire.fail('pinwarden:rate:', 'silence')
        const passed = await open.gate.ask('GET', '/id')
        await closed.gate.ask('GET', '/id')
        const isPassed = passed.status === 200 ? '; with failMode open the request continues' : ''
        return (await logged(closed.gate)) + isPassed
      },
    }
  },
  'pins that wait in the queue': gateTry(
    { onOutage: 'journal', journal: { entriesMax: 1 } },
    async (gate) => {
      gate.cluster.behave({}, { kind: 'reset' })
      for (const n of [1, 2]) await gate.ask('POST', `/pins/${generatedCid(n)}`)
      const { status, reason } = gate.lines.at(-1) ?? line
      return `${status} ${reason ?? ''}`
    },
  ),
  'requests with wait=': trackerTry((tracker) => {
    for (let n = 0; n < 10_000; n++) tracker.wait(generatedCid(n % 10), 1000, () => undefined)
    let said = 'none'
    tracker.wait(cid, 1000, () => (said = 'the answer at once'))
    return said
  }),
  'tracked pins': trackerTry((tracker) => {
    for (let n = 0; n <= 50_000; n++) tracker.accepted(`cid${n}`, 'alpha')
    return 'none: the pin is not tracked'
  }),
  'copies of listings on the disk': gateTry({ listing: { spoolBytesMax: 0 } }, async (gate) => {
    gate.cluster.behave({ path: '/pins' }, { kind: 'stream', lines: 10_000, bytes: 1000 })
    const { status } = await gate.ask('GET', '/pins')
    return status === 200 ? 'the listing, without a copy' : `${status}`
  }),
  'CIDs of a query': asking({}, 'GET', () => `/pins?cids=${Array(101).fill(cid).join()}`, 1),
  'options of a pin': asking({}, 'POST', () => `/pins/${cid}?name=${'x'.repeat(513)}`, 1),
  'log text that waits': async (t) => {
    // A disk that stalls.
    const log = await openLog({
      level: 'info',
      format: 'json',
      bufferBytesMax: 65_536,
      file: '/dev/full',
    })
    t.teardown(() => log.close())
    const metrics = openRegistry('test')
    registerLog(metrics, log)
    const goOver = () => {
      for (let count = 0; count < 1000; count++) log.access('info', line)
      return Promise.resolve("none: lines are dropped, strangers' first")
    }
    return { metrics, goOver }
  },
  'label values of encoders': () => {
    const metrics = openRegistry('test')
    const count = registerRequests(metrics, { requestsInFlight: 0, counts: {}, ended: {} })
    const goOver = () => {
      for (let n = 0; n < 1100; n++) count({ ...line, encoder: `encoder-${n}` })
      return Promise.resolve('none: it is counted as _other')
    }
    return Promise.resolve({ metrics, goOver })
  },
}

const page = readFileSync(new URL('../../../docs/bounds.md', import.meta.url), 'utf8')
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))

t.same(
  rows.map(([, resource]) => resource).sort(),
  Object.keys(tries).sort(),
  'each row has a test',
)

for (const [, resource = '', bound, share, strangers, reads, metric = ''] of rows) {
  t.test(`${resource}: the answer beyond the bound is ${reads ?? ''}`, async (t) => {
    for (const cell of [bound, share, strangers])
      t.not(cell, '', 'each cell of the row is filled in')
    const trial = await tries[resource]?.(t)
    if (trial === undefined) {
      t.pass(`not tried: ${String(noRedis)}`)
      return
    }
    const { metrics, goOver } = trial
    const before = await sumOf(metrics, metric)
    t.equal(await goOver(), reads)
    t.not(await sumOf(metrics, metric), before, metric)
  })
}

t.test('the page lists each bound that is a constant of src, with its value', async (t) => {
  const root = new URL('../../../src/', import.meta.url).pathname
  const listed = [...page.matchAll(/^- `(\S+\.ts)`: (.*)$/gm)].flatMap(([, file = '', text = '']) =>
    [...text.matchAll(/(\w+Max) `([^`]+)`: /g)].map(([, name, value]) => [file, name, value]),
  )
  // Of times, of what is shown, and of commands, which take what they get from the daemon.
  const isLeftOut = /Ms(?:Max)?|^(?:named|shown|names|lines|latest|spelled)|Shown/
  const found = globSync('**/*.ts', { cwd: root })
    .filter((file) => !/^cli\/|^admin\/page\//.test(file))
    .flatMap((file) =>
      [
        ...readFileSync(`${root}${file}`, 'utf8').matchAll(
          /^(?:export )?const (\w*Max) = ([^{\n]+)$/gm,
        ),
      ].map(([, name = '', value]) => [file, name, value] as const),
    )
    .filter(([, name]) => !isLeftOut.test(name))
  t.same(listed.map(String).sort(), found.map(String).sort())
})

/** Of all series that have the labels. */
async function sumOf(metrics: Registry, metric: string): Promise<number> {
  const [, name = '', label = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(metric) ?? []
  return (await metrics.metrics())
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
