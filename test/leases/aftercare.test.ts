/** A pin renewed when it had run out is looked at again, until no sweep can have it on its list. */
import t from 'tap'
import { Aftercare, isNearSweep } from '../../src/leases/aftercare.js'
import { openLeases } from '../../src/leases/leases.js'
import type { PinRecord } from '../../src/leases/pin-record.js'
import { ClusterClient } from '../../src/cluster/cluster-client.js'
import { decidePin } from '../../src/leases/decide.js'
import { snapshotFrom } from '../../src/settings/load.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { clock } from '../support/clock.js'

t.test('it is looked at four times within six minutes, also when a look fails', async (t) => {
  const time = clock()
  const { setTimer: later } = time
  const turn = (ms: number) => time.turn(ms)
  const looks: string[] = []
  const errors: unknown[] = []
  const care = new Aftercare({
    later,
    onError: (_cid, error) => errors.push(error),
    restore: (cid) => {
      looks.push(cid)
      return looks.length === 2 ? Promise.reject(new Error('down')) : Promise.resolve(true)
    },
  })
  care.watch('a')
  await turn(4999)
  t.same(looks, [])
  await turn(1)
  t.same(looks, ['a'])
  await turn(354_999)
  t.equal(looks.length, 3)
  await turn(1)
  t.equal(looks.length, 4)
  t.equal(errors.length, 1)
  await turn(3_600_000)
  t.equal(looks.length, 4)
})

t.test('it is left alone when nobody holds it, and begun anew when it is renewed', async (t) => {
  const time = clock()
  const { setTimer: later } = time
  const turn = (ms: number) => time.turn(ms)
  const looks: string[] = []
  const care = new Aftercare({
    later,
    onError: () => undefined,
    restore: (cid) => Promise.resolve(looks.push(cid) < 2),
  })
  care.watch('a')
  await turn(4000)
  care.watch('a')
  await turn(4000)
  t.same(looks, [])
  await turn(3_600_000)
  t.same(looks, ['a', 'a'])
  care.watch('b')
  care.close()
  await turn(3_600_000)
  t.equal(looks.length, 2)
})

t.test('what is far from its end is in no danger', async (t) => {
  const record = (expiresMs: number) => ({ expiresMs }) as PinRecord
  t.equal(isNearSweep(undefined, 0), false)
  t.equal(isNearSweep(record(Infinity), 0), false)
  t.equal(isNearSweep(record(120_000), 0), false)
  t.equal(isNearSweep(record(30_000), 0), true)
  t.equal(isNearSweep(record(-1), 0), true)
})

t.test('a pin that a sweep had on its list when it was renewed is pinned again', async (t) => {
  const cluster = await startFakeCluster()
  const snapshot = snapshotFrom({ cluster: { endpoints: [{ url: cluster.url }] } })
  const link = new ClusterClient(snapshot)
  const time = clock()
  const told: string[] = []
  const leases = await openLeases({
    link,
    config: () => snapshot.config.cluster,
    userAgent: 'test',
    tell: (_level, _fields, message) => told.push(message),
    later: time.setTimer,
  })
  const { ledger } = leases
  t.teardown(async () => {
    await leases.close()
    await link.end()
    await cluster.close()
  })
  const [over, renewed] = [new Date(Date.now() - 1000).toISOString(), Infinity]
  const cid = cluster.addPin('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG', {
    expireAt: over,
    metadata: new Map([['pinwarden.lease.aaaaaaaaaaaa', '20250101T000000Z/20250102T000000Z']]),
  })
  const listed = cluster.expired()
  t.same(listed, [cid])
  await ledger.change(cid, ({ record }) => {
    const caller = { holder: 'aaaaaaaaaaaa', mayUnpinAny: false }
    const decision = decidePin(record, caller, { cid, options: [], untilMs: renewed }, Date.now())
    return decision.kind === 'write' ? decision.record : undefined
  })
  for (const swept of listed) cluster.pins.delete(swept)
  const pinned = cluster.nextRequest()
  const looking = time.turn(5000)
  t.equal((await pinned).target, `/allocations/${cid}`)
  await cluster.nextRequest()
  await looking
  await cluster.connectionsClosed()
  t.match(cluster.pins.get(cid)?.expireAt, /^0001/)
  t.match(told, [/swept away/])
})
