/** The quota that all spool files on the disk share, and one pooled file for the next listing. */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type SetTimer, setTimer as timer } from '../time/clock.js'

/** How long a file stays pooled: listings come a minute apart where they come at all. */
const pooledMs = 5 * 60_000

/** A file, and how many bytes of the quota are reserved for it, whatever is in them. */
export interface Allocation {
  readonly file: FileHandle
  readonly bytes: number
}

interface PooledFile extends Allocation {
  /** Called when the file is used again. */
  readonly cancelTimer: () => void
}

export class SpoolQuota {
  private used = 0
  private pooled: PooledFile | undefined
  private isClosed = false

  /** @param onError called with the error that keeps a listing from the disk */
  constructor(
    readonly directory: string,
    private readonly bytesMax: number,
    readonly onError: (error: unknown) => void = () => undefined,
    readonly setTimer: SetTimer = timer,
  ) {}

  /** False when the quota has not so many bytes left. */
  reserve(bytes: number): boolean {
    if (this.used + bytes > this.bytesMax) this.dropPooled()
    if (this.used + bytes > this.bytesMax) return false
    this.used += bytes
    return true
  }

  giveBack(bytes: number): void {
    this.used -= bytes
  }

  /**
   * One that no other process can reach and that no crash leaves behind: its name is gone as soon
   * as it is made (unlink(2)), and the bytes live as long as the handle. There is nothing to clean
   * up at the next start, and nothing to find for others meanwhile.
   *
   * A pooled file is overwritten: that costs a third of what new pages of ext4 do (measured).
   */
  async open(): Promise<Allocation> {
    const { pooled } = this
    if (pooled !== undefined) {
      this.pooled = undefined
      pooled.cancelTimer()
      return pooled
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

  /** Pools the largest of the files that no listing uses. */
  async recycle(allocation: Allocation): Promise<void> {
    if (this.isClosed || allocation.bytes <= (this.pooled?.bytes ?? 0)) {
      await this.discard(allocation)
      return
    }
    this.dropPooled()
    const cancelTimer = this.setTimer(pooledMs, () => {
      this.dropPooled()
    })
    this.pooled = { ...allocation, cancelTimer }
  }

  async discard({ file, bytes }: Allocation): Promise<void> {
    this.giveBack(bytes)
    await file.close()
  }

  /** Pools no file any more; a file that is still read goes with its last reader. */
  close(): void {
    this.isClosed = true
    this.dropPooled()
  }

  private dropPooled(): void {
    const { pooled } = this
    if (pooled === undefined) return
    this.pooled = undefined
    pooled.cancelTimer()
    this.discard(pooled).catch(this.onError)
  }
}
