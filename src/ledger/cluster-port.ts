/** What the ledger needs from the cluster; the daemon's client or the simulation provides it. */
import type { TakeLine } from '../cluster/lines.js'
import type { RequestHeaders } from '../http/headers.js'
import type { Deadline } from '../time/deadline.js'

export interface ClusterPort {
  /** @throws ClusterFault when the cluster's state stays unknown */
  read(cid: string, deadline: Deadline, headers?: RequestHeaders): Promise<Reading>
  /**
   * Writes without a client's request.
   *
   * @param path with its query
   * @throws ClusterFault when the outcome is not known
   */
  write(method: 'POST' | 'DELETE', path: string, deadline: Deadline): Promise<WriteAnswer>
  /**
   * Whether every peer that the CID is allocated to has it; asks Kubo. Only what all of them say
   * is known.
   */
  isFinished(cid: string, deadline: Deadline, headers?: RequestHeaders): Promise<Finished>
  /**
   * Gives each line of the whole state.
   * @throws ClusterFault, also when the state was cut short
   */
  readState(take: TakeLine): Promise<void>
  /** Base URLs that are in use now. */
  readonly urls: () => readonly string[]
  /** IDs of its peers, from `GET /id`. @throws ClusterFault when it does not say */
  peers(): Promise<readonly string[]>
  readonly isAvailable: () => boolean
  /**
   * Calls back when an endpoint closed a connection, which some do often; went down; came back.
   * @param call `downMs`: how long one of several was down that is back
   */
  onDisconnect(call: (isHangUp?: boolean, downMs?: number) => void): void
}

export interface Reading {
  /** As of `GET /allocations/{cid}`; undefined: the cluster does not have the CID. */
  readonly text: string | undefined
  /** The cluster's clock, in milliseconds since the epoch; undefined: unknown. */
  readonly dateMs: number | undefined
}

export interface WriteAnswer {
  readonly status: number
  readonly text: string
}

export type Finished = 'finished' | 'unfinished' | 'unknown'

/** The cluster, as the ledger knows it. */
export interface KnownCluster {
  /** Base URLs that were used last. */
  readonly urls: readonly string[]
  /** IDs of all peers that it ever had, as far as a gate saw them. */
  readonly peers: readonly string[]
}
