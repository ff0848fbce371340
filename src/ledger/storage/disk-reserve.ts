/** Reserves space on the ledger's disk, so that a release still fits on a full disk. */
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

/** Share of a small disk: more might never be free, and the gate would wait for it forever. */
const [bytesKeptMax, shareMax] = [4 * 1024 * 1024, 1 / 4]

const mebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`

export class DiskReserve {
  /** @param path undefined: the ledger is in memory, so there is nothing to reserve */
  constructor(private readonly path: string | undefined) {}

  /** Free bytes of the disk, for this user; undefined: without a disk. */
  get freeBytes(): number | undefined {
    if (this.path === undefined) return undefined
    const { bavail, bsize } = statfsSync(dirname(this.path))
    return bavail * bsize
  }

  /** Without free inodes no file can be created, whatever space is free. */
  get hasNoInodes(): boolean {
    if (this.path === undefined) return false
    const { files, ffree } = statfsSync(dirname(this.path))
    return files > 0 && ffree === 0
  }

  /** Whether there is one: then a ledger was here. */
  get isKept(): boolean {
    return this.path !== undefined && existsSync(this.path)
  }

  /** Reserves if the disk has twice as much left. @returns why it did not; undefined: it did */
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
      if (this.hasNoInodes) return 'the disk has no free inodes: df -i shows it'
      return `the disk is full: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  /** @returns whether there was a reserve */
  free(): boolean {
    if (this.path === undefined || !this.isKept) return false
    rmSync(this.path)
    return true
  }

  /** Writes the whole reserve or none of it. */
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

/** Without this, a power cut undoes what was created or renamed in the directory. */
export function syncDirectorySync(directory: string): void {
  const handle = openSync(directory, constants.O_RDONLY)
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
