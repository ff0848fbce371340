/** The client of the cluster: new settings replace the current cluster between two requests. */
import type { Snapshot } from '../settings/snapshot.js'
import type { Answer, Callback } from './answer-handler.js'
import { Cluster, type ClusterEvents } from './cluster.js'
import { RequestCoalescer } from './coalescing.js'
import type { ClusterRequest } from './endpoint.js'
import type { Exchange } from './exchange.js'

/** Work on an answer before the callback; its result, if there is one, or failure replaces it. */
export type BeforeCallback = (
  ...answer: Parameters<Callback>
) => Promise<Answer | undefined> | undefined

/** @param downMs how long one of several endpoints was down that is back */
type OnDisconnect = (isHangUp: boolean, downMs?: number) => void

/** Sends requests to the current cluster, and coalesces equal ones. */
export class ClusterClient {
  private cluster: Cluster
  private settings: string
  /** Former clusters with exchanges in flight. */
  private readonly retiring = new Set<Cluster>()
  private readonly coalescer = new RequestCoalescer()
  private disconnected: OnDisconnect = () => undefined

  /** @param events called when endpoints go down, come back, fall behind or catch up */
  constructor(
    snapshot: Snapshot,
    private readonly events: Partial<Omit<ClusterEvents, 'onHungUp'>> = {},
  ) {
    this.cluster = this.clusterOf(snapshot)
    this.settings = settingsOf(snapshot)
  }

  /** Calls back when an endpoint closed a connection, went down, or came back. */
  onDisconnect(call: OnDisconnect): void {
    this.disconnected = call
  }

  /**
   * Runs one exchange for a client's request, or joins one in flight.
   * @param onAnswer called before the callback, which waits for its promise
   */
  send(
    exchange: Exchange,
    request: ClusterRequest,
    callback: Callback,
    onAnswer: BeforeCallback = () => undefined,
  ): void {
    const { coalescingKey } = exchange
    if (coalescingKey !== undefined)
      this.coalescer.request(this.cluster, coalescingKey, exchange, request, callback)
    else
      this.ask(exchange, request, (error, answer) => {
        let kept
        try {
          kept = onAnswer(error, answer)
        } catch (bug) {
          callback(bug as Error, answer)
          return
        }
        if (kept === undefined) callback(error, answer)
        else
          kept.then(
            (instead) => {
              callback(error, instead ?? answer)
            },
            (fault: unknown) => {
              callback(fault as Error, answer)
            },
          )
      })
  }

  /** Runs one exchange with the current cluster; calls back once. */
  ask(exchange: Exchange, request: ClusterRequest, callback: Callback): void {
    const { changes } = exchange
    this.detach(changes)
    this.cluster.request(exchange, request, (error, answer) => {
      // Again: a read that began meanwhile may have the answer from before the change.
      this.detach(changes)
      callback(error, answer)
    })
  }

  private detach(changes: Exchange['changes']): void {
    if (changes === 'all') this.coalescer.detachAll()
    else if (changes !== undefined) this.coalescer.detach(changes)
  }

  /** The current cluster. */
  get current(): Cluster {
    return this.cluster
  }

  /**
   * Exchanges in flight end where they began.
   * @returns whether the cluster is a different one now
   */
  apply(snapshot: Snapshot): boolean {
    const settings = settingsOf(snapshot)
    if (settings === this.settings) return false
    const former = this.cluster
    const done = (): void => void this.retiring.delete(former)
    this.retiring.add(former)
    former.retire().then(done, done)
    this.settings = settings
    this.cluster = this.clusterOf(snapshot)
    this.coalescer.detachAll()
    return true
  }

  /** Whether the current cluster answers. */
  probe(): Promise<boolean> {
    return this.cluster.probe()
  }

  async close(): Promise<void> {
    await Promise.all([this.cluster, ...this.retiring].map((cluster) => cluster.close()))
  }

  private clusterOf({ config, endpointSecrets }: Snapshot): Cluster {
    return new Cluster(config.cluster, endpointSecrets, {
      onChange: (change) => {
        this.events.onChange?.(change)
        const isOneBack = change.state === 'up' && config.cluster.endpoints.length > 1
        this.disconnected(false, isOneBack ? change.downMs : undefined)
      },
      onHungUp: () => {
        this.disconnected(true)
      },
      onLag: (endpoint, change) => {
        this.events.onLag?.(endpoint, change)
      },
      onRefused: (endpoint) => {
        this.events.onRefused?.(endpoint)
      },
    })
  }
}

/** For comparison only: it contains passwords. */
const settingsOf = ({ config, endpointSecrets }: Snapshot): string =>
  JSON.stringify([config.cluster, endpointSecrets])
