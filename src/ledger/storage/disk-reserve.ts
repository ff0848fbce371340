/** Reserves space on the ledger's disk, so that a full disk still takes a release. */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** Of a small disk less: what it can never have free must not be waited for. */
const [bytesKeptMax, shareMax] = [4 * 1024 * 1024, 1 / 4]

const mebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`

export class DiskReserve {
  /** @param path undefined: there is no disk, and so nothing to keep back */
  constructor(private readonly path: string | undefined) {}

  /** Of the disk, for this user; undefined: without a disk. */
  get freeBytes(): number | undefined {
    if (this.path === undefined) return undefined
    const { bavail, bsize } = statfsSync(dirname(this.path))
    return bavail * bsize
  }

  /** Where the disk has twice as much left. @returns why it is not there; undefined: it is */
  keep(): string | undefined {
    const { path } = this
    if (path === undefined || existsSync(path)) return undefined
    try {
      const { blocks, bavail, bsize } = statfsSync(dirname(path))
      const bytes = Math.floor(Math.min(bytesKeptMax, shareMax * blocks * bsize))
      const free = bavail * bsize
      if (free < 2 * bytes)
        return `the disk is full: ${mebibytes(free)} left, ${mebibytes(2 * bytes)} needed`
      this.make(path, bytes)
      return undefined
    } catch (error) {
      return `the disk is full: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  /** @returns whether there was any */
  free(): boolean {
    if (this.path === undefined || !existsSync(this.path)) return false
    rmSync(this.path)
    return true
  }

  /** Whole or not at all. */
  private make(path: string, bytes: number): void {
    const handle = openSync(path, 'wx', 0o600)
    try {
      const block = Buffer.alloc(65_536)
      for (let at = 0; at < bytes;) at += writeSync(handle, block, 0, block.length, at)
      fsyncSync(handle)
    } catch (error) {
      rmSync(path, { force: true })
      throw error
    } finally {
      closeSync(handle)
    }
  }
}

/** What was made or renamed there lasts through a power cut only then. */
export function syncDirectorySync(directory: string): void {
  const handle = openSync(directory, constants.O_RDONLY)
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
