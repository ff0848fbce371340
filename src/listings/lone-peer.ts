/**
 * Whether the cluster is one peer. Then `local=true` lists the same, without a map of everything
 * in the cluster's memory, and says so when Kubo is down instead of listing nothing.
 */
import type { Cluster } from '../cluster/cluster.js'
import type { SeveralPeers } from './several-peers.js'

export class LonePeer {
  constructor(private readonly others: SeveralPeers) {}

  /**
   * `cluster_peers` lists live peers only, so a second one that was ever seen may be away at the
   * moment: then the answer stays no. When the cluster does not say, it is no for this time.
   */
  async isAlone(
    cluster: Cluster,
    headers: Readonly<Record<string, string>>,
    timeoutMs: number,
  ): Promise<boolean> {
    if (this.others.wereSeen) return false
    const peers = await livePeers(cluster, headers, timeoutMs)
    if (peers > 1) void this.others.see()
    return peers === 1
  }
}

/** 0 when it cannot be told. */
async function livePeers(
  cluster: Cluster,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<number> {
  try {
    const { status, text } = await cluster.ask('/id', headers, timeoutMs)
    if (status !== 200) return 0
    const id = JSON.parse(text) as { cluster_peers?: unknown } | null
    return Array.isArray(id?.cluster_peers) ? id.cluster_peers.length : 0
  } catch {
    return 0
  }
}
