/**
 * Whether the cluster is one peer. Then `local=true` lists the same, without a map of everything
 * in the cluster's memory, and says so when Kubo is down instead of listing nothing.
 */
import { join } from 'node:path'
import type { RequestHeaders } from '../http/headers.js'
import type { Cluster } from '../cluster/cluster.js'
import { DurableFile, makeDirectory, readDurable } from '../disk/durable-file.js'
import type { Logger } from '../log/logger.js'

export interface PeerCountParts {
  /** Where a file says that there were several; undefined: that is forgotten with the process. */
  readonly directory: string | undefined
  /** For the log. */
  readonly log: Logger
}

export class PeerCount {
  private constructor(
    private readonly parts: PeerCountParts,
    private hasSeveral: boolean,
  ) {}

  /** @throws when there is a file that cannot be read */
  static async open(parts: PeerCountParts): Promise<PeerCount> {
    const { directory } = parts
    const known = directory === undefined ? undefined : await readDurable(pathIn(directory))
    return new PeerCount(parts, known !== undefined)
  }

  /** Whether the cluster was ever seen with more than one peer, also before the last restart. */
  get wereSeveral(): boolean {
    return this.hasSeveral
  }

  /**
   * `cluster_peers` lists live peers only, so a second one that was ever seen may be away at the
   * moment: then the answer stays no. When the cluster does not say, it is no for this time.
   */
  async isOne(cluster: Cluster, headers: RequestHeaders, timeoutMs: number): Promise<boolean> {
    if (this.hasSeveral) return false
    const peers = await livePeers(cluster, headers, timeoutMs)
    if (peers > 1) void this.noteSeveral()
    return peers === 1
  }

  /** Says so once. Where the disk takes nothing, it is known until the restart. */
  async noteSeveral(): Promise<void> {
    if (this.hasSeveral) return
    this.hasSeveral = true
    const { directory, log } = this.parts
    log('warn', {}, told)
    if (directory === undefined) return
    try {
      await makeDirectory(directory)
      const file = new DurableFile(pathIn(directory), () => inFile)
      await file.rewrite()
      await file.close()
    } catch (err) {
      log('warn', { directory, err }, 'that the cluster has several peers cannot be kept')
    }
  }
}

/** 0 when it cannot be told. */
async function livePeers(
  cluster: Cluster,
  headers: RequestHeaders,
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

const pathIn = (directory: string): string => join(directory, 'several-peers')

const told =
  'the cluster has more than one peer: whole listings are asked of all of them from now on; ' +
  '"listing": { "local": "never" } in the settings makes that so from the start'

/** What the file says to an operator who opens it. */
const inFile =
  'The cluster was seen with more than one peer, so whole listings are asked of all of them.\n' +
  'If it is one peer for good, remove this file and restart pinwarden.\n'
