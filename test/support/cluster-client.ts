/** A fake cluster and our connections to it, without a gate; both end with the test. */
import type { Test } from 'tap'
import { ClusterClient } from '../../src/cluster/cluster-client.js'
import { startFakeCluster } from './fake-cluster/index.js'
import { snapshotFrom } from './snapshot-from.js'

/** @param settings of the cluster's section, beside where it is */
export async function startClusterClient(t: Test, settings: object = {}) {
  const cluster = await startFakeCluster()
  const endpoints = [{ url: cluster.url }]
  const client = new ClusterClient(snapshotFrom({ cluster: { endpoints, ...settings } }))
  t.teardown(async () => {
    await client.close()
    await cluster.close()
  })
  return { cluster, client }
}
