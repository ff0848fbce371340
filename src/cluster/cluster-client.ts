/** The client of the cluster: new settings replace the cluster in force between two requests. */
import type { Snapshot } from '../settings/snapshot.js'
import type { Callback } from './answer-handler.js'
import { Cluster, type ClusterEvents } from './cluster.js'
import { RequestCoalescer } from './coalescing.js'
import type { ClusterRequest } from './endpoint.js'
import type { Exchange } from './exchange.js'

/** What has to be done with an answer first; a failure takes its place. */
type BeforeCallback = (...answer: Parameters<Callback>) => Promise<void> | undefined

/** Sends requests to the cluster in force, and coalesces equal ones. */
export class ClusterClient {
  private cluster: Cluster
  private settings: string
  private readonly coalescer = new RequestCoalescer()
  private disconnected: () => void = () => undefined

  /** @param events of endpoints that go down, are back, lag behind or have caught up */
  constructor(
    snapshot: Snapshot,
    private readonly events: Partial<Omit<ClusterEvents, 'onHungUp'>> = {},
  ) {
    this.cluster = this.clusterOf(snapshot)
    this.settings = settingsOf(snapshot)
  }

  /** Calls back when an endpoint closed a connection, went down, or is back. */
  onDisconnect(call: () => void): void {
    this.disconnected = call
  }

  /**
   * One exchange for a client's request, or its share of a coalesced one.
   *
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
            () => {
              callback(error, answer)
            },
            (fault: unknown) => {
              callback(fault as Error, answer)
            },
          )
      })
  }

  /** One exchange with the cluster in force; calls back once. */
  ask(exchange: Exchange, request: ClusterRequest, callback: Callback): void {
    const { changes } = exchange
    this.detach(changes)
    this.cluster.request(exchange, request, (error, answer) => {
      // Once more: a read that began meanwhile may have been answered before the change.
      this.detach(changes)
      callback(error, answer)
    })
  }

  private detach(changes: Exchange['changes']): void {
    if (changes === 'all') this.coalescer.detachAll()
    else if (changes !== undefined) this.coalescer.detach(changes)
  }

  /** The cluster in force. */
  get current(): Cluster {
    return this.cluster
  }

  /** Exchanges under way end where they began. @returns whether it is another cluster now */
  apply(snapshot: Snapshot): boolean {
    const settings = settingsOf(snapshot)
    if (settings === this.settings) return false
    void this.cluster.retire()
    this.settings = settings
    this.cluster = this.clusterOf(snapshot)
    this.coalescer.detachAll()
    return true
  }

  /** Whether the cluster in force answers. */
  probe(): Promise<boolean> {
    return this.cluster.probe()
  }

  end(): Promise<void> {
    return this.cluster.close()
  }

  private clusterOf({ config, endpointSecrets }: Snapshot): Cluster {
    return new Cluster(config.cluster, endpointSecrets, {
      onChange: (change) => {
        this.events.onChange?.(change)
        this.disconnected()
      },
      onHungUp: () => {
        this.disconnected()
      },
      onLag: (endpoint, change) => {
        this.events.onLag?.(endpoint, change)
      },
    })
  }
}

/** To be compared, never shown: it holds passwords. */
const settingsOf = ({ config, endpointSecrets }: Snapshot): string =>
  JSON.stringify([config.cluster, endpointSecrets])
