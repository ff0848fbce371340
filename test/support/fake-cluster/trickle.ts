/** A listing that a test writes by hand, for as many requests as come. */
import { type Ending, type Headers, listOf, type Trickle } from './behaviours.js'
import type { Exchange } from './connection.js'
import type { Reply } from './reply.js'

/** The head of a listing as the cluster sends it. */
export function listingHead(reply: Reply, headers: Headers = {}): void {
  reply.status(200).contentType().header('Trailer', 'X-Stream-Error').header('Vary', 'Origin')
  for (const [name, values] of Object.entries(headers)) {
    for (const value of listOf(values)) reply.header(name, value)
  }
}

export class TrickleSource {
  readonly #pieces: string[] = []
  #ending: { trailers: readonly string[] } | Ending | undefined
  #changed = new Set<() => void>()

  constructor(private readonly headers: Headers | undefined) {}

  readonly controls: Trickle = {
    write: (text) => {
      this.#pieces.push(text)
      this.#wake()
    },
    end: (...trailers) => {
      this.#ending ??= { trailers: trailers.length === 0 ? [''] : trailers }
      this.#wake()
    },
    destroy: (how = 'rst') => {
      this.#ending ??= how
      this.#wake()
    },
  }

  async serve(exchange: Exchange): Promise<boolean> {
    const { reply } = exchange
    listingHead(reply, this.headers)
    await reply.flush()
    for (let at = 0; ;) {
      const piece = this.#pieces[at]
      if (piece !== undefined) {
        at++
        if (!(await reply.body(piece).flush())) return false
      } else if (this.#ending !== undefined) {
        return this.#end(exchange, this.#ending)
      } else if (!(await this.#more(exchange))) return false
    }
  }

  async #end(
    exchange: Exchange,
    ending: { trailers: readonly string[] } | Ending,
  ): Promise<boolean> {
    if (typeof ending === 'string') {
      exchange.end(ending)
      return false
    }
    for (const value of ending.trailers) exchange.reply.trailer('X-Stream-Error', value)
    await exchange.reply.finish()
    return false
  }

  async #more(exchange: Exchange): Promise<boolean> {
    let wake = (): void => undefined
    const changed = new Promise<void>((resolve) => (wake = resolve))
    this.#changed.add(wake)
    const here = await exchange.here(changed)
    this.#changed.delete(wake)
    return here
  }

  #wake(): void {
    for (const wake of this.#changed) wake()
  }
}
