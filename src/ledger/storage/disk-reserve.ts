/** Space that is kept back on the ledger's disk, so that a full one still takes a release. */
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

const bytesKept = 4 * 1024 * 1024

export class DiskReserve {
  /** @param path undefined: there is no disk, and so nothing to keep back */
  constructor(private readonly path: string | undefined) {}

  /** Whether it is there: without it nothing new should be promised. */
  get isKept(): boolean {
    return this.path === undefined || existsSync(this.path)
  }

  /** Of the disk, for this user; undefined: without a disk. */
  get freeBytes(): number | undefined {
    if (this.path === undefined) return undefined
    const { bavail, bsize } = statfsSync(dirname(this.path))
    return bavail * bsize
  }

  /** Where the disk has twice as much left. @returns whether it is there */
  keep(): boolean {
    const { path } = this
    if (path === undefined || existsSync(path)) return true
    try {
      if ((this.freeBytes ?? Infinity) < 2 * bytesKept) return false
      this.make(path)
      return true
    } catch {
      return false
    }
  }

  /** @returns whether there was any */
  free(): boolean {
    if (this.path === undefined || !existsSync(this.path)) return false
    rmSync(this.path)
    return true
  }

  /** Whole or not at all. */
  private make(path: string): void {
    const handle = openSync(path, 'wx', 0o600)
    try {
      const block = Buffer.alloc(65_536)
      for (let at = 0; at < bytesKept;) at += writeSync(handle, block, 0, block.length, at)
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
