/**
 * Whether the cluster is one peer. Then `local=true` lists the same, without a map of everything
 * in the cluster's memory, and says so when Kubo is down instead of listing nothing.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RequestHeaders } from '../http/headers.js'
import type { Cluster } from '../cluster/cluster.js'
import { readObject } from '../cluster/json.js'
import { syncDirectory } from '../disk/sync-directory.js'
import type { Logger } from '../log/logger.js'

export interface PeerCountParts {
  /** Directory of a file that remembers several peers; undefined: the process forgets it. */
  readonly directory: string | undefined
  /** For the log. */
  readonly log: Logger
}

/** How many peers a cluster has; `unknown`: it does not report them. */
export type Peers = 'one' | 'several' | 'unknown'

export class PeerCount {
  private constructor(
    private readonly parts: PeerCountParts,
    private hasSeveral: boolean,
  ) {}

  /** @throws when there is a file that cannot be read */
  static async open(parts: PeerCountParts): Promise<PeerCount> {
    const { directory } = parts
    return new PeerCount(parts, directory !== undefined && (await isThere(pathIn(directory))))
  }

  /** Whether the cluster was ever seen with more than one peer, also before the last restart. */
  get wereSeveral(): boolean {
    return this.hasSeveral
  }

  /**
   * `cluster_peers` lists live peers only, so a second one that was ever seen may just be down: the
   * answer is still `several`.
   */
  async of(cluster: Cluster, headers: RequestHeaders, timeoutMs: number): Promise<Peers> {
    if (this.hasSeveral) return 'several'
    const peers = await livePeers(cluster, headers, timeoutMs)
    if (peers === undefined) return 'unknown'
    if (peers === 1) return 'one'
    void this.noteSeveral()
    return 'several'
  }

  /** Logs it once. If the disk is not writable, the gate remembers it until the restart. */
  async noteSeveral(): Promise<void> {
    if (this.hasSeveral) return
    this.hasSeveral = true
    const { directory, log } = this.parts
    log('warn', {}, notAllListed)
    if (directory === undefined) return
    try {
      await mkdir(directory, { recursive: true, mode: 0o750 })
      const path = pathIn(directory)
      await writeFile(`${path}.next`, inFile, { mode: 0o600, flush: true })
      await rename(`${path}.next`, path)
      await syncDirectory(directory)
    } catch (err) {
      log('warn', { directory, err }, 'could not keep on disk that the cluster has several peers')
    }
  }
}

/** Undefined: it is not known. Each peer counts itself. */
async function livePeers(
  cluster: Cluster,
  headers: RequestHeaders,
  timeoutMs: number,
): Promise<number | undefined> {
  try {
    const { status, text } = await cluster.ask('/id', headers, timeoutMs)
    if (status !== 200) return undefined
    const { cluster_peers: peers } = readObject(text)
    return Array.isArray(peers) && peers.length > 0 ? peers.length : undefined
  } catch {
    return undefined
  }
}

/** @throws when that is not known */
async function isThere(path: string): Promise<boolean> {
  try {
    await readFile(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

const pathIn = (directory: string): string => join(directory, 'several-peers')

const notAllListed = 'the cluster has several peers; listings are now requested from all of them'

/** What the file says to an operator who opens it. */
const inFile =
  'The cluster was seen with more than one peer, so whole listings are asked of all of them.\n' +
  'If it is one peer for good, remove this file and restart pinwarden.\n'
