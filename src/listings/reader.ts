/** One client's way through a listing: from its start to what is there, then with what comes. */
import { Readable } from 'node:stream'
import type { Place, Spool } from './spool.js'

export class SpoolReader extends Readable {
  private readonly place: Place

  constructor(private readonly spool: Spool) {
    // One part at a time: parts are large, and readers many.
    super({ highWaterMark: 1 })
    this.place = spool.enter()
  }

  override _read(): void {
    this.spool.next(this.place).then(
      (bytes) => this.push(bytes ?? null),
      (error: unknown) => {
        this.destroy(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.spool.leave(this.place)
    callback(error)
  }
}
