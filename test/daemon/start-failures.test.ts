/** Whatever step of the start fails, the daemon says why, ends with 1, and leaves nothing open. */
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Daemon, run } from '../support/daemon.js'
import { kuboId, startFakeCluster } from '../support/fake-cluster/index.js'
import { startFakeKubo } from '../support/fake-kubo.js'
import { noRedis, TestRedis } from '../support/redis.js'

/** From the spawn to the first word of why; Node's own start is in it. */
const startMs = 20_000
/** From there to the end. */
const endMs = 2000

if (noRedis !== false) t.comment(`the store is left out: ${noRedis}`)

/** Everything that may be opened is asked for; a case spoils one thing of it. */
async function scene(t: Test) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  // Not the test's own directory: the path of a socket is short.
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-start-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  mkdirSync(join(directory, 'state'))
  const at = (name: string) => join(directory, name)
  const redis = noRedis === false ? await TestRedis.start(t) : undefined
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    admin: { port: 0 },
    control: { socket: at('control.sock') },
    cluster: { endpoints: [{ url: cluster.url }] },
    log: { file: at('log') },
    ...{ onOutage: 'journal', ledger: { directory: at('state') } },
    store: redis === undefined ? 'memory' : { redis: redis.url },
  }
  const serve = (changed: object): Daemon => {
    writeFileSync(at('config.json'), JSON.stringify({ ...config, ...changed }), { mode: 0o640 })
    return run(t, ['serve', '--config', at('config.json')])
  }
  return { cluster, at, serve, redis }
}

async function taken(t: Test): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** It has closed all that it had opened when it says why: what is left open holds it up. */
async function ends(t: Test, daemon: Daemon, why: RegExp): Promise<void> {
  const within = <T>(ms: number, ...events: Promise<T>[]) =>
    Promise.race([...events, setTimeout(ms, 'still there', { ref: false })])
  await within<unknown>(startMs, once(daemon.process.stderr, 'data'), daemon.exited)
  const outcome = await within(endMs, daemon.exited)
  t.same(outcome, { code: 1, signal: null })
  t.match(daemon.stderr, why)
  t.notMatch(daemon.stderr, /^ +at /m, 'no stack trace')
}

type Scene = Awaited<ReturnType<typeof scene>>

/** By the step that fails. */
const cases: Record<string, (t: Test, scene: Scene) => Promise<[changed: object, why: RegExp]>> = {
  'the log file': async (_t, { at }) => [
    { log: { file: at('missing/log') } },
    /missing does not exist/,
  ],
  'the ledger': async (_t, { at }) => {
    writeFileSync(at('file'), '')
    return [{ ledger: { directory: at('file') } }, /file/]
  },
  'what is kept of the cluster': async (_t, { at }) => {
    mkdirSync(at('state/several-peers'), { recursive: true })
    return [{}, /EISDIR|several-peers/]
  },
  'the fallback': async (t) => {
    const kubo = await startFakeKubo(t, kuboId)
    return [{ fallback: { kubo: { url: kubo.url } } }, /a Kubo that the cluster uses/]
  },
  'the control socket': async (_t, { at }) => [
    { control: { socket: at('missing/control.sock') } },
    /control\.sock/,
  ],
  'the admin port': async (t) => [{ admin: { port: await taken(t) } }, /another program listens/],
  'the admin port, while the store hangs': async (t, { redis }) => {
    redis?.pause()
    return [{ admin: { port: await taken(t) } }, /another program listens/]
  },
  'the public port': async (t) => [
    { listen: { host: '127.0.0.1', port: await taken(t) } },
    /another program listens/,
  ],
}

for (const [step, spoil] of Object.entries(cases)) {
  t.test(`a start that fails at ${step} ends with 1 and leaves nothing open`, async (t) => {
    const found = await scene(t)
    const [changed, why] = await spoil(t, found)
    const failed = found.serve(changed)
    await ends(t, failed, why)
    t.notOk(existsSync(found.at('control.sock')), 'its control socket is gone')
    await found.cluster.connectionsClosed()
  })
}

t.test('after a failed start the next one takes the same files', async (t) => {
  const { at, serve } = await scene(t)
  const port = await taken(t)
  await ends(t, serve({ admin: { port } }), /another program listens/)
  const daemon = serve({ log: {} })
  await daemon.logged('listening')
  t.ok(existsSync(at('control.sock')))
  daemon.process.kill('SIGTERM')
  t.same(await daemon.exited, { code: 0, signal: null })
})
