/** The gate, the cluster or both are killed: no lease is lost but what docs/ledger.md says. */
import t from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { cidsFrom, type Host, pinAll, startHost } from './host.js'
import { forEach, must, scenario, untilNone } from './scenario.js'

t.setTimeout(1_200_000)

const areBack = (host: Host, cids: readonly string[], encoder?: 'alpha' | 'beta') =>
  untilNone('not in the cluster', 40, () => host.lacking(cids, encoder))

await scenario(t, 'L1 orderly stop of the gate, then the cluster is killed', 120, async (t) => {
  const host = await startHost(t)
  const cids = cidsFrom(0, 60)
  await pinAll(host, cids)
  await host.gate.stop()
  await host.peers[0].kill()
  await host.peers[0].comeBack()
  const forgotten = await host.lacking(cids)
  await host.gate.start()
  await areBack(host, cids)
  return `the cluster forgot ${forgotten.length} of 60, all are back`
})

await scenario(t, 'L5 an encoder pins again while recent writes are verified', 180, async (t) => {
  const host = await startHost(t)
  let forgotten = 0
  for (let round = 0; round < 3; round++) {
    const cids = cidsFrom(round * 100, 60)
    await pinAll(host, cids)
    // Beyond the time in which a row may not be on the disk.
    await delay(500)
    await Promise.all([host.gate.kill(), host.peers[0].kill()])
    await host.peers[0].comeBack()
    forgotten += (await host.lacking(cids)).length
    await host.gate.start()
    // The walk begins a second after the start, with the newest.
    const again = pinAll(
      host,
      cids.filter((_, index) => index % 7 === 6),
    )
    await areBack(host, cids)
    await again
  }
  return `the cluster forgot ${forgotten} of 180, all are back`
})

await scenario(
  t,
  'L32 both killed while 1,000 pins of the queue are written, four times',
  400,
  async (t) => {
    const host = await startHost(t)
    const cids = cidsFrom(0, 1000)
    await host.peers[0].kill()
    await pinAll(host, cids, 'alpha', '', [202])
    for (let round = 0; round < 4; round++) {
      await host.peers[0].comeBack()
      await host.gate.logged('replayed a pin of the journal')
      await delay(150 + round * 120)
      await Promise.all([host.gate.kill(), host.peers[0].kill()])
      await host.gate.start()
    }
    await host.peers[0].comeBack()
    await untilNone('not in the cluster', 120, () => host.lacking(cids))
    return '1,000 of 1,000 pins with 202 are there'
  },
)

await scenario(
  t,
  'L33 POST, DELETE, POST within a second, then the gate is killed',
  240,
  async (t) => {
    const host = await startHost(t)
    const cids = cidsFrom(0, 24)
    await forEach(cids, 4, async (cid) => {
      for (const method of ['POST', 'DELETE', 'POST']) {
        const { status } = await host.gate.ask(method, `/pins/${cid}`)
        must(status === 200, `${method}: ${status}`)
      }
    })
    await host.gate.kill()
    await host.gate.start()
    await areBack(host, cids)
    await host.gate.logged('verified recent writes')
    // The last look of what the kill left in doubt, but for the one after a quarter of an hour.
    await delay(70_000)
    const lost = await host.lacking(cids)
    must(lost.length === 0, `${lost.length} of 24 were unpinned by the gate`)
    return '24 of 24 stay, also after the looks of a minute'
  },
)

await scenario(t, 'L34 two encoders pin the same CIDs in one second, ten kills', 400, async (t) => {
  const host = await startHost(t)
  let forgotten = 0
  const all: string[] = []
  for (let round = 0; round < 10; round++) {
    const cids = cidsFrom(round * 100, 20)
    all.push(...cids)
    await forEach(cids, 2, async (cid) => {
      for (const as of ['alpha', 'beta'] as const) await pinAll(host, [cid], as)
    })
    await host.peers[0].kill()
    await host.peers[0].comeBack()
    for (const as of ['alpha', 'beta'] as const) {
      forgotten += (await host.lacking(cids, as)).length
      await areBack(host, cids, as)
    }
  }
  for (const as of ['alpha', 'beta'] as const) await areBack(host, all, as)
  return `400 leases, ${forgotten} forgotten at the first look, all are back`
})

await scenario(
  t,
  'an idle cluster is killed and is back at once, and no client asks',
  90,
  async (t) => {
    const host = await startHost(t)
    const cids = cidsFrom(0, 40)
    await pinAll(host, cids)
    await delay(3000)
    await host.peers[0].kill()
    await host.peers[0].comeBack()
    const forgotten = await host.lacking(cids)
    await areBack(host, cids)
    return `the cluster forgot ${forgotten.length} of 40, all are back without a request`
  },
)

await scenario(t, 'CRDT batching: the gate, then the cluster is killed', 240, async (t) => {
  const batching = { max_batch_size: 500, max_batch_age: '2s', max_queue_size: 50_000 }
  const host = await startHost(t, { settings: { crdt: { batching } } })
  const [first, second, third] = [cidsFrom(0, 60), cidsFrom(100, 60), cidsFrom(200, 60)]
  const both = async (cids: readonly string[]) => {
    for (const as of ['alpha', 'beta'] as const) await pinAll(host, cids, as)
  }
  const haveBoth = async (cids: readonly string[]) => {
    for (const as of ['alpha', 'beta'] as const) await areBack(host, cids, as)
  }
  await both(first)
  await haveBoth(first)
  await both(second)
  await host.peers[0].kill()
  await host.peers[0].comeBack()
  await haveBoth(second)
  await both(third)
  // Beyond the 50 ms in which a row may not be on the disk.
  await delay(500)
  await host.gate.kill()
  await host.gate.start()
  const renewed = third.slice(0, 20)
  await pinAll(host, renewed, 'gamma')
  await haveBoth(third)
  return '360 leases of two encoders are there'
})

await scenario(t, 'sweeps: what is renewed stays, what has run out goes', 200, async (t) => {
  const settings = { cluster: { state_sync_interval: '2s' } }
  const host = await startHost(t, { settings })
  const [kept, gone] = [cidsFrom(0, 40), cidsFrom(100, 40)]
  await pinAll(host, [...kept, ...gone], 'alpha', '?expire-in=6s')
  // Each at another moment before and after its end.
  await forEach(kept, 8, async (cid) => {
    await delay(4500 + Math.random() * 2500)
    await pinAll(host, [cid], 'alpha', '?expire-in=1h')
  })
  await delay(15_000)
  await untilNone('renewed and not there', 60, () => host.lacking(kept))
  const left = gone.length - (await host.lacking(gone)).length
  must(left === 0, `${left} have run out and are still there`)
  return '40 of 40 renewed at the last moment stay, 40 of 40 that ran out are gone'
})
