/** The journal and the fallback: pins are accepted while the cluster is down, and replayed. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { generatedCid, startFakeCluster } from '../../support/fake-cluster/index.js'
import { startFakeKubo } from '../../support/fake-kubo.js'
import { startInstalled } from '../installed-daemon.js'
import type { Teardown } from '../steps.js'

export async function outage(place: string, t: Teardown): Promise<string> {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const kubo = await startFakeKubo(t)
  const { daemon, ask, stop } = await startInstalled(join(place, 'outage'), {
    cluster: { endpoints: [{ url: cluster.url }], health: { intervalMs: 1000, failuresMax: 1 } },
    onOutage: 'journal',
    fallback: { kubo: { url: kubo.url } },
  })
  const cid = generatedCid(1)
  const comeBack = cluster.behave({ path: /./ }, { kind: 'reset' })
  assert.equal((await ask('POST', `/pins/${cid}`)).status, 202)
  await daemon.logged('pinned at the fallback')
  assert.deepEqual([...kubo.pins], [cid])
  assert(!cluster.pins.has(cid))
  comeBack()
  await daemon.logged('emptied the journal: every pin was replayed or dropped')
  assert(cluster.pins.has(cid))
  await stop()
  return 'cluster away: 202, pinned at the fallback; back: pinned at the cluster'
}
