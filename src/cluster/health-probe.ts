/** Checks whether the cluster answers, with its cheapest requests on a connection of their own. */
import { Client } from 'undici'
import { faultOf } from './faults.js'
import { type ApiAddress, connectorTo, wantsPlain, whenHungUp } from './pools.js'

/**
 * Longer than the interval of checks, so that the gate notices a cluster that was down for a
 * moment.
 */
const keepAliveMs = 60_000

const bodyBytesMax = 65_536

export class HealthProbe {
  private client: Client | undefined

  /**
   * @param timeoutMs for all of its answers together
   * @param onHungUp the other side ended the connection
   */
  constructor(
    private readonly address: ApiAddress,
    private readonly timeoutMs: number,
    private readonly onHungUp: () => void = () => undefined,
  ) {}

  /**
   * `GET /health` needs no credential and says that the API lives (404 before cluster 1.0.5);
   * `GET /version` says that it also accepts ours. Neither touches Kubo, as `GET /id` would.
   */
  async ask(): Promise<boolean> {
    const client = (this.client ??= this.connect())
    const signal = AbortSignal.timeout(this.timeoutMs)
    const ask = (path: string) => this.asked(client, path, signal)
    let isWell = false
    try {
      isWell = [200, 204, 404].includes(await ask('/health')) && (await ask('/version')) === 200
    } catch {
      // The peer does not answer.
    }
    // The connection may be the cause.
    if (!isWell) await this.end(client)
    return isWell
  }

  async close(): Promise<void> {
    if (this.client !== undefined) await this.end(this.client)
  }

  private async end(client: Client): Promise<void> {
    if (this.client === client) this.client = undefined
    await client.destroy()
  }

  private connect(): Client {
    const { origin, connect } = this.address
    const client = new Client(origin, {
      connect: connectorTo(connect, this.timeoutMs),
      maxHeaderSize: 8192,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
    })
    whenHungUp(client, this.onHungUp)
    return client
  }

  /** A kept connection may close as it is used; undici opens another for the next check. */
  private async asked(client: Client, path: string, signal: AbortSignal): Promise<number> {
    try {
      return await this.statusOf(client, path, signal)
    } catch (error) {
      if (faultOf(error).reason !== 'cluster-hung-up') throw error
      return this.statusOf(client, path, signal)
    }
  }

  private async statusOf(client: Client, path: string, signal: AbortSignal): Promise<number> {
    const { authorization } = this.address
    const { statusCode, body } = await client.request({
      method: 'GET',
      path,
      headers: {
        'user-agent': 'pinwarden',
        ...wantsPlain,
        ...(authorization !== undefined && { authorization }),
      },
      headersTimeout: this.timeoutMs,
      bodyTimeout: this.timeoutMs,
      signal,
    })
    await body.dump({ limit: bodyBytesMax, signal })
    return statusCode
  }
}
