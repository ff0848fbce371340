/** Records of pins are read one behind the other on few connections, and never mixed up. */
import t from 'tap'
import { leaseIdOf } from '../../../src/settings/values/lease-id.js'
import { generatedCid } from '../../support/fake-cluster/index.js'
import { startGate } from '../../support/start-gate.js'

const count = 40
const cids = Array.from({ length: count }, (_, index) => generatedCid(index))
const record = { method: 'GET', path: /^\/allocations\// } as const

t.test('forty records are read over two connections, each for its own pin', async (t) => {
  const gate = await startGate(t, { limits: { inFlight: count } })
  // Each has another holder, so the gate has to find its name in the record and keep it.
  for (const [index, cid] of cids.entries()) gate.cluster.addPin(cid, { name: `pin ${index}` })
  await gate.ask('GET', '/id')
  const before = gate.cluster.openConnections
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  const undo = gate.cluster.behave(record, { kind: 'hold', until })
  const answers = cids.map((cid) => gate.ask('POST', `/pins/${cid}?name=another`))
  await gate.cluster.nextRequest()
  // Once this is answered, the gate has read the others.
  await gate.ask('GET', '/id')
  t.ok(gate.cluster.openConnections <= before + 2)
  undo()
  release()
  for (const { status } of await Promise.all(answers)) t.equal(status, 200)
  t.equal(gate.cluster.stateReads, count)
  for (const [index, cid] of cids.entries()) {
    const pin = gate.cluster.pins.get(cid)
    t.equal(pin?.name, `pin ${index}`)
    t.ok(pin?.metadata?.has(`pinwarden.lease.${leaseIdOf('alpha')}`))
  }
})

t.test('if a connection closes, its record is read again and all pins are made', async (t) => {
  const gate = await startGate(t, { limits: { inFlight: count } })
  gate.cluster.behave(record, { kind: 'hangup' }, 1)
  const answers = await Promise.all(cids.map((cid) => gate.ask('POST', `/pins/${cid}`)))
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal(gate.cluster.pins.size, count)
})
