/** A fake cluster and our connections to it, without a gate; both end with the test. */
import type { Test } from 'tap'
import { ClusterLink } from '../../src/cluster/link.js'
import { snapshotFrom } from '../../src/settings/load.js'
import { startFakeCluster } from './fake-cluster/index.js'

export async function linkedCluster(t: Test) {
  const cluster = await startFakeCluster()
  const link = new ClusterLink(snapshotFrom({ cluster: { endpoints: [{ url: cluster.url }] } }))
  t.teardown(async () => {
    await link.end()
    await cluster.close()
  })
  return { cluster, link }
}
