/** Starts the upstream, sets its listing and asks it what it was asked. */
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ask } from './load/ask.js'
import type { Flushing } from './upstream-answers.js'
import { freePort, type Sandbox } from './sandbox.js'

/** Each looks like a peer of its own, and costs the machine nothing more. */
export const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3']

const script = fileURLToPath(new URL('upstream.js', import.meta.url))

export class Upstream {
  private constructor(readonly port: number) {}

  static async start(sandbox: Sandbox): Promise<Upstream> {
    const upstream = new Upstream(await freePort())
    const child = sandbox.spawn(sandbox.room('upstream'), process.execPath, [
      script,
      String(upstream.port),
      ...addresses,
    ])
    for (;;) {
      const isUp = await ask(upstream.port, '/id').then(
        () => true,
        () => false,
      )
      if (isUp) return upstream
      if (child.exitCode !== null) throw new Error('the upstream did not start')
      await setTimeout(5)
    }
  }

  /** @returns the bytes of the listing from now on */
  async setListing(lines: number, flushing: Flushing): Promise<number> {
    const path = `/bench/set?lines=${lines}&mode=${flushing}`
    const { status, body } = await ask(this.port, path)
    if (status !== 200) throw new Error(`the upstream does not know ${path}`)
    return (JSON.parse(body) as { bytes: number }).bytes
  }

  /** Since it was set. */
  async listingsAsked(): Promise<number> {
    const { body } = await ask(this.port, '/bench/count')
    return (JSON.parse(body) as { listingsAsked: number }).listingsAsked
  }
}
