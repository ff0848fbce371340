/** Room on the disk that all spool files share, and one file that waits for the next listing. */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Later, later as timer } from '../time/later.js'

/** How long a file waits: listings come a minute apart where they come at all. */
const spareMs = 5 * 60_000

/** A file, and how many bytes of the room are its own, whatever is in them. */
export interface Lot {
  readonly file: FileHandle
  readonly bytes: number
}

interface Spare extends Lot {
  /** It need not be thrown away any more. */
  readonly stay: () => void
}

export class SpoolRoom {
  private used = 0
  private spare: Spare | undefined
  private isClosed = false

  /** @param onTrouble called with what keeps a listing from being spooled */
  constructor(
    readonly directory: string,
    private readonly bytesMax: number,
    readonly onTrouble: (error: unknown) => void = () => undefined,
    private readonly later: Later = timer,
  ) {}

  /** False when there is no room for so much more. */
  take(bytes: number): boolean {
    if (this.used + bytes > this.bytesMax) this.dropSpare()
    if (this.used + bytes > this.bytesMax) return false
    this.used += bytes
    return true
  }

  give(bytes: number): void {
    this.used -= bytes
  }

  /**
   * One that nobody else can reach and that no crash leaves behind: its name is gone as soon as it
   * is made (unlink(2)), and the bytes live as long as the handle. There is nothing to clean up at
   * the next start, and nothing to find for others meanwhile.
   *
   * A spare one is written over: that costs a third of what new pages of ext4 do (measured).
   */
  async open(): Promise<Lot> {
    const { spare } = this
    if (spare !== undefined) {
      this.spare = undefined
      spare.stay()
      return spare
    }
    const path = join(this.directory, `.pinwarden-listing-${randomUUID()}`)
    const file = await open(path, 'wx+', 0o600)
    try {
      await unlink(path)
    } catch (error) {
      await file.close()
      throw error
    }
    return { file, bytes: 0 }
  }

  /** Of what is done with, the largest is the spare one. */
  async takeBack(lot: Lot): Promise<void> {
    if (this.isClosed || lot.bytes <= (this.spare?.bytes ?? 0)) {
      await this.throwAway(lot)
      return
    }
    this.dropSpare()
    const stay = this.later(spareMs, () => {
      this.dropSpare()
    })
    this.spare = { ...lot, stay }
  }

  async throwAway({ file, bytes }: Lot): Promise<void> {
    this.give(bytes)
    await file.close()
  }

  /** Keeps nothing any more; what is still read goes when it is done with. */
  close(): void {
    this.isClosed = true
    this.dropSpare()
  }

  private dropSpare(): void {
    const { spare } = this
    if (spare === undefined) return
    this.spare = undefined
    spare.stay()
    this.throwAway(spare).catch(this.onTrouble)
  }
}
