/** A gate that also pins at another Kubo while the cluster is down. */
import t from 'tap'
import { generatedCid } from '../../support/fake-cluster/index.js'
import { startFakeKubo } from '../../support/fake-kubo.js'
import { startGate } from '../../support/start-gate.js'

const cid = generatedCid(1)
const onOutage = 'journal'

t.test('a queued pin is meanwhile pinned at the fallback, and stays there', async (t) => {
  const kubo = await startFakeKubo(t)
  const gate = await startGate(t, { onOutage, fallback: { kubo: { url: kubo.url } } })
  const comeBack = gate.cluster.behave({}, { kind: 'reset' })
  t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 202)
  t.match(await gate.logged('pinned at the fallback'), { cid, level: 'info' })
  t.same([...kubo.pins], [cid])
  t.notOk(gate.cluster.pins.has(cid))

  comeBack()
  gate.retryQueue()
  await gate.pinEvent(({ result }) => result === 'pinned')
  t.ok(gate.cluster.pins.has(cid))
  await gate.close()
  t.same(kubo.asked, ['id', `pin/ls ${cid}`, `pin/add ${cid}`])
})

t.test('with release set, the gate unpins there once the cluster has the pin', async (t) => {
  const kubo = await startFakeKubo(t)
  const fallback = { kubo: { url: kubo.url, release: true } }
  const gate = await startGate(t, { onOutage, fallback })
  const comeBack = gate.cluster.behave({}, { kind: 'reset' })
  await gate.ask('POST', `/pins/${cid}`)
  await gate.logged('pinned at the fallback')
  comeBack()
  gate.retryQueue()
  await gate.logged('unpinned at the fallback; the cluster has the pin')
  t.ok(gate.cluster.pins.has(cid))
  t.same([...kubo.pins], [])
})

t.test('while the cluster is up, the fallback is only asked for its peer ID', async (t) => {
  const kubo = await startFakeKubo(t)
  const gate = await startGate(t, { onOutage, fallback: { kubo: { url: kubo.url } } })
  t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 200)
  await gate.pinEvent(({ result }) => result === 'pinned')
  await gate.close()
  t.same(kubo.asked, ['id'])
})
