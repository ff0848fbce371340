/** Another cluster is another set of peers: not another address, limit or password. */
import t from 'tap'
import { ClusterFault } from '../../src/cluster/faults.js'
import { ClusterIdentity } from '../../src/ledger/cluster-identity.js'
import type { KnownCluster } from '../../src/ledger/cluster-port.js'
import type { LedgerOperation } from '../../src/ledger/storage/ledger-storage.js'
import { clock } from '../support/clock.js'

function identityOf(known: KnownCluster | undefined, urls: string[], peers: string[] | undefined) {
  const time = clock()
  const state = { urls, peers, asked: 0 }
  const noted: LedgerOperation[] = []
  const reports: boolean[] = []
  const identity = new ClusterIdentity({
    storage: {
      contents: { cluster: known } as never,
      note: (operations) => {
        noted.push(...operations)
        return Promise.resolve()
      },
    },
    cluster: {
      urls: () => state.urls,
      peers: () => {
        state.asked++
        return state.peers === undefined
          ? Promise.reject(new ClusterFault('cluster-timeout'))
          : Promise.resolve(state.peers)
      },
    },
    onKnown: (isAnother) => reports.push(isAnother),
    log: () => undefined,
    monotonic: time.now,
    setTimer: time.setTimer,
  })
  t.teardown(() => {
    identity.close()
  })
  return { identity, time, state, noted, reports }
}

const known = { urls: ['http://one:9094'], peers: ['A', 'B'] }

t.test('under the same addresses it is the same, without a request', async (t) => {
  const { identity, time, state } = identityOf(known, known.urls, undefined)
  await time.turn(3_600_000)
  t.equal(identity.isKnown, true)
  t.equal(state.asked, 0)
})

t.test('under another address one common peer makes it the same', async (t) => {
  const { identity, time, noted, reports } = identityOf(known, ['http://two:9094'], ['B', 'C'])
  t.equal(identity.isKnown, false, 'until it has said so')
  await time.turn(1)
  t.equal(identity.isKnown, true)
  t.same(reports, [false])
  const cluster = { urls: ['http://two:9094'], peers: ['A', 'B', 'C'] }
  t.same(noted, [{ kind: 'cluster', cluster, isAnother: false }])
})

t.test('without a common peer it is another, from then on', async (t) => {
  const { identity, time, state, noted, reports } = identityOf(known, ['http://two:9094'], ['X'])
  await time.turn(1)
  t.same(reports, [true])
  t.match(noted, [{ cluster: { peers: ['X'] }, isAnother: true }])
  state.urls = ['http://three:9094']
  identity.check()
  await time.turn(1)
  t.same(reports, [true, false])
})

t.test('while the cluster does not report its peers, its identity is unknown', async (t) => {
  const { identity, time, state, reports } = identityOf(known, ['http://two:9094'], undefined)
  await time.turn(60_000)
  t.equal(identity.isKnown, false)
  state.peers = ['A']
  await time.turn(5000)
  t.equal(identity.isKnown, true)
  t.same(reports, [false])
})

t.test('a new ledger learns whose it is, and waits for nothing', async (t) => {
  const { identity, time, noted } = identityOf(undefined, known.urls, known.peers)
  t.equal(identity.isKnown, true)
  await time.turn(30_000)
  t.same(noted, [{ kind: 'cluster', cluster: known, isAnother: false }])
})
