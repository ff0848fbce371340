/** The reason of each fault of the fallback Kubo, found with a real one that fails. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { errors } from 'undici'
import { fallbackReasonOf, isOfDaemon } from '../../src/fallback/fallback-fault.js'
import { Kubo } from '../../src/fallback/kubo.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { startFakeKubo } from '../support/fake-kubo.js'
import { freePort } from '../support/free-port.js'

const cid = generatedCid(1)
const never = new AbortController().signal

async function reasonAt(t: Test, url: string, signal = never): Promise<string> {
  const kubo = new Kubo({ url, atOnceMax: 1, stallMs: 60_000 })
  t.teardown(() => kubo.close())
  return kubo.pin(cid, signal).then(
    () => 'no fault',
    (error: unknown) => fallbackReasonOf(error),
  )
}

t.test('a port that nothing listens on is fallback-unreachable', async (t) => {
  t.equal(await reasonAt(t, `http://127.0.0.1:${await freePort()}`), 'fallback-unreachable')
})

t.test('a connection that ends is fallback-hung-up', async (t) => {
  const kubo = await startFakeKubo(t)
  kubo.mode = 'hangup'
  t.equal(await reasonAt(t, kubo.url), 'fallback-hung-up')
})

t.test(
  'an answer that is not HTTP is fallback-bad-answer, and so is one without JSON',
  async (t) => {
    const server = createServer((socket) =>
      socket.on('error', () => undefined).end('nonsense\r\n\r\n'),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    t.equal(await reasonAt(t, `http://127.0.0.1:${port}`), 'fallback-bad-answer')
    const kubo = await startFakeKubo(t)
    kubo.says.set('pin/add', '<html>')
    t.equal(await reasonAt(t, kubo.url), 'fallback-bad-answer')
  },
)

t.test('an answer without the CID is fallback-refused, and the daemon is healthy', async (t) => {
  const kubo = await startFakeKubo(t)
  kubo.says.set('pin/add', '{}')
  t.equal(await reasonAt(t, kubo.url), 'fallback-refused')
  t.notOk(isOfDaemon('fallback-refused'))
  t.notOk(isOfDaemon('fallback-stalled'))
})

t.test('an answer that does not come in time is fallback-timeout', async (t) => {
  const kubo = await startFakeKubo(t)
  kubo.mode = 'silent'
  t.equal(await reasonAt(t, kubo.url, AbortSignal.timeout(50)), 'fallback-timeout')
  t.equal(fallbackReasonOf(new errors.ConnectTimeoutError()), 'fallback-timeout')
  t.ok(isOfDaemon('fallback-timeout'))
})
