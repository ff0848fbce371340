/** The cluster in force: other settings put another in its place, without a request noticing. */
import type { Snapshot } from '../settings/snapshot.js'
import type { Callback } from './answer-handler.js'
import { Cluster } from './cluster.js'
import type { ClusterRequest, OnChange } from './endpoint.js'
import type { Exchange } from './exchange.js'
import { Questions } from './questions.js'

/** The client of the cluster: the one in force, and what is asked of it once for several. */
export class ClusterLink {
  private cluster: Cluster
  private settings: string
  private readonly questions = new Questions()
  private away: () => void = () => undefined

  /** @param onChange told when an endpoint is down, or back */
  constructor(
    snapshot: Snapshot,
    private readonly onChange: OnChange = () => undefined,
  ) {
    this.cluster = this.clusterOf(snapshot)
    this.settings = settingsOf(snapshot)
  }

  /** Calls when an endpoint was away: it ended a connection of ours, or is down, or is back. */
  whenAway(call: () => void): void {
    this.away = call
  }

  /**
   * One exchange for a client's request, or its share of one that is under way.
   *
   * @param onAnswer called before anybody else hears of the answer
   */
  send(exchange: Exchange, request: ClusterRequest, callback: Callback, onAnswer: Callback): void {
    const { question } = exchange
    if (question !== undefined)
      this.questions.ask(this.cluster, question, exchange, request, callback)
    else
      this.ask(exchange, request, (error, answer) => {
        onAnswer(error, answer)
        callback(error, answer)
      })
  }

  /** One exchange with the cluster in force; calls back once. */
  ask(exchange: Exchange, request: ClusterRequest, callback: Callback): void {
    const { changes } = exchange
    this.close(changes)
    this.cluster.request(exchange, request, (error, answer) => {
      // Once more: those who asked meanwhile may have been answered before the change.
      this.close(changes)
      callback(error, answer)
    })
  }

  private close(changes: Exchange['changes']): void {
    if (changes === 'all') this.questions.closeAll()
    else if (changes !== undefined) this.questions.close(changes)
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
    this.questions.closeAll()
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
        this.onChange(change)
        this.away()
      },
      onHungUp: () => {
        this.away()
      },
    })
  }
}

/** To be compared, never shown: it holds passwords. */
const settingsOf = ({ config, endpointSecrets }: Snapshot): string =>
  JSON.stringify([config.cluster, endpointSecrets])
