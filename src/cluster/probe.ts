/** Asks whether the cluster answers: its cheapest questions, on a connection of their own. */
import { Client } from 'undici'

/** Where one REST API is, and who we are to it. */
export interface Place {
  readonly origin: string
  readonly connect: { readonly ca?: string; readonly socketPath?: string }
  /** Header for the cluster, if it asks for one. */
  readonly authorization: string | undefined
}

/**
 * `GET /health` needs no credential and says that the API lives (404 before cluster 1.0.5);
 * `GET /version` says that it also accepts ours. Neither touches Kubo, as `GET /id` would.
 *
 * @param timeoutMs for both answers together
 */
export async function probeCluster(
  { origin, connect, authorization }: Place,
  timeoutMs: number,
): Promise<boolean> {
  const client = new Client(origin, {
    connect: { timeout: timeoutMs, ...connect },
    maxHeaderSize: 8192,
  })
  const signal = AbortSignal.timeout(timeoutMs)
  const ask = async (path: string): Promise<number> => {
    const { statusCode, body } = await client.request({
      method: 'GET',
      path,
      headers: { 'user-agent': 'pinwarden', ...(authorization !== undefined && { authorization }) },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      signal,
    })
    await body.dump({ limit: bodyBytesMax, signal })
    return statusCode
  }
  try {
    return [200, 204, 404].includes(await ask('/health')) && (await ask('/version')) === 200
  } catch {
    return false
  } finally {
    await client.destroy()
  }
}

const bodyBytesMax = 65_536
