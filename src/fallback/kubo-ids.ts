/** Which Kubos the peers of the cluster work with. */
import type { RequestHeaders } from '../http/headers.js'
import { readLines } from '../cluster/lines.js'
import type { ClusterClient } from '../cluster/cluster-client.js'

interface PeerJson {
  readonly ipfs?: { readonly id?: string } | null
}

/**
 * Asks every live peer, and each of them its Kubo: not a question for every day.
 *
 * @param headMs longest wait for the answer
 * @returns peer IDs; undefined: one of them could not tell
 * @throws ClusterFault
 */
export async function readKuboIds(
  cluster: ClusterClient,
  headers: RequestHeaders,
  headMs: number,
): Promise<ReadonlySet<string> | undefined> {
  const ids = new Set<string | undefined>()
  await readLines(cluster, { path: '/peers', headers, headMs }, (line) => {
    const { ipfs } = JSON.parse(line.toString()) as PeerJson
    ids.add(ipfs?.id)
  })
  return ids.size > 0 && [...ids].every((id) => id !== undefined)
    ? (ids as ReadonlySet<string>)
    : undefined
}
