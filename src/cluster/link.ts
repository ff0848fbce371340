/** The cluster in force: other settings put another in its place, without a request noticing. */
import type { Snapshot } from '../settings/snapshot.js'
import type { Callback } from './answer.js'
import { Cluster } from './cluster.js'
import type { ClusterRequest, OnChange } from './endpoint.js'
import type { Exchange } from './exchange.js'
import { Questions } from './questions.js'

/** A request as it goes up. */
export interface Asked {
  readonly method: ClusterRequest['method']
  /** With its query. */
  readonly path: string
  /** Called before anybody else hears of the answer. */
  readonly onAnswer?: Callback | undefined
}

interface Announced {
  readonly id: string
  readonly exchange: Exchange
  readonly asked: Asked
}

/**
 * What @fastify/reply-from takes for its `undici` option: anything with undici's `request`. It
 * knows nothing of ours, so an exchange is found again by the X-Request-Id that it carries.
 */
export class ClusterLink {
  private cluster: Cluster
  private settings: string
  private readonly questions = new Questions()
  private announced: Announced | undefined
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
   * Announces an exchange; `request` follows at once.
   *
   * @param asked what goes up is this, whatever is made of it on the way
   */
  begin(id: string, exchange: Exchange, asked: Asked): void {
    this.announced = { id, exchange, asked }
  }

  request({ headers }: Pick<ClusterRequest, 'headers'>, callback: Callback): void {
    const { cluster, announced } = this
    if (announced === undefined || announced.id !== headers['x-request-id'])
      throw new Error('a request to the cluster without its exchange')
    this.announced = undefined
    const { exchange, asked } = announced
    const { method, path, onAnswer } = asked
    const request = { method, path, headers }
    const { question } = exchange
    if (question !== undefined) this.questions.ask(cluster, question, exchange, request, callback)
    else
      this.ask(exchange, request, (error, answer) => {
        onAnswer?.(error, answer)
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
