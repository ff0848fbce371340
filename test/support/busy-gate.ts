/** What /metrics of a gate says that has every part, after requests that ended in every way. */
import type { Test } from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { dayMs } from '../../src/time/units.js'
import { registerReload } from '../../src/daemon/reload-metrics.js'
import { generatedCid } from './fake-cluster/index.js'
import { startFakeKubo } from './fake-kubo.js'
import { freePort } from './free-port.js'
import { startGate } from './start-gate.js'

const [pinned, pinning, queued] = [generatedCid(1), generatedCid(2), generatedCid(3)]

/** @returns the text of /metrics */
export async function busyGate(t: Test): Promise<string> {
  const kubo = await startFakeKubo(t)
  // Nothing listens there: the instruments of the store say so.
  const store = { redis: `redis://127.0.0.1:${await freePort()}` }
  const fallback = { kubo: { url: kubo.url } }
  const expires = new Date(Date.now() + dayMs).toISOString()
  const ending = { id: 'k1', sha256: digestOf(generateKey()), expires }
  const encoders = { beta: {}, gamma: { keys: [ending] } }
  const outage = { onOutage: 'journal', fallback } as const
  const gate = await startGate(t, { ...outage, store, encoders, enforcement: 'observe' })
  const { cluster } = gate
  // The program registers these, which a test's gate does not have.
  const settings = registerReload(gate.metrics)
  settings.reloaded(true)
  settings.certificateExpires(new Date())

  await gate.ask('GET', '/id')
  await gate.ask('GET', '/pins')
  await gate.ask('POST', `/pins/${pinned}`)
  await gate.pinEvent(({ result }) => result === 'pinned')
  await gate.ask('DELETE', `/pins/${pinned}`, { as: 'beta' })
  await gate.ask('GET', '/id', { headers: { authorization: 'Bearer x' } })
  cluster.statusOfNewPins = 'pinning'
  await gate.ask('POST', `/pins/${pinning}`)

  const leave = new AbortController()
  const stalled = cluster.behave({}, { kind: 'stall' })
  const left = gate.ask('GET', '/id', { signal: leave.signal })
  await cluster.nextRequest()
  leave.abort()
  await t.rejects(left)
  await gate.line(({ outcome }) => outcome === 'aborted')
  stalled()

  await cluster.close()
  await gate.ask('GET', '/id')
  kubo.mode = 'work'
  await gate.ask('POST', `/pins/${queued}`)
  await kubo.worksOn(1)
  kubo.working.get(queued)?.fail('of the test')
  await gate.logged('could not pin at the fallback')
  return gate.metrics.metrics()
}
