/** Checks whether the cluster answers, with its cheapest requests on a connection of their own. */
import { Client } from 'undici'
import type { AnswerHeaders } from '../http/headers.js'
import { faultOf, faultOfAnswer, type FaultReason } from './faults.js'
import { type ApiAddress, connectorTo, wantsPlain, whenHungUp } from './pools.js'

/**
 * Longer than the interval of checks, so that the gate notices a cluster that was down for a
 * moment.
 */
const keepAliveMs = 60_000

const bodyBytesMax = 65_536

export class HealthProbe {
  private client: Client | undefined
  /** Why the last check failed; undefined: it passed, or there was none. */
  fault: FaultReason | undefined

  /**
   * @param timeoutMs for all of its answers together
   * @param onHungUp the other side ended the connection
   * @param onHead an answer began
   */
  constructor(
    private readonly address: ApiAddress,
    private readonly timeoutMs: number,
    private readonly onHungUp: () => void = () => undefined,
    private readonly onHead: (headers: AnswerHeaders) => void = () => undefined,
  ) {}

  /**
   * `GET /health` needs no credential and says that the API lives (404 before cluster 1.0.5);
   * `GET /version` says that it also accepts ours. Neither touches Kubo, as `GET /id` would.
   */
  async ask(): Promise<boolean> {
    const client = (this.client ??= this.connect())
    const signal = AbortSignal.timeout(this.timeoutMs)
    let fault: FaultReason | undefined
    try {
      fault =
        (await this.asked(client, '/health', [200, 204, 404], signal)) ??
        (await this.asked(client, '/version', [200], signal))
    } catch (error) {
      fault = signal.aborted ? 'cluster-timeout' : faultOf(error).reason
    }
    this.fault = fault
    // The connection may be the cause.
    if (fault !== undefined) await this.end(client)
    return fault === undefined
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
  private async asked(...asking: Parameters<HealthProbe['faultAt']>) {
    try {
      return await this.faultAt(...asking)
    } catch (error) {
      if (faultOf(error).reason !== 'cluster-hung-up') throw error
      return this.faultAt(...asking)
    }
  }

  private async faultAt(
    client: Client,
    path: string,
    good: readonly number[],
    signal: AbortSignal,
  ): Promise<FaultReason | undefined> {
    const { authorization } = this.address
    const { statusCode, headers, body } = await client.request({
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
    this.onHead(headers)
    await body.dump({ limit: bodyBytesMax, signal })
    if (good.includes(statusCode)) return undefined
    return faultOfAnswer(statusCode, headers) ?? 'cluster-bad-answer'
  }
}
