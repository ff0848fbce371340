/**
 * A file of lines that outlives a power cut: what is appended is on the disk when the promise
 * resolves. Those who append at the same time share one write and one flush.
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

interface Waiting {
  /** Undefined: the file is to be written anew. */
  readonly text: string | undefined
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class DurableFile {
  private handle: FileHandle | undefined
  private bytes = 0
  private waiting: Waiting[] = []
  private writing: Promise<void> = Promise.resolve()
  private isWriting = false
  private isClosed = false

  /** @param whole all that the file has to hold, should it be written anew */
  constructor(
    private readonly path: string,
    private readonly whole: () => string,
  ) {}

  /** @throws what the disk says; nothing of it counts then */
  append(text: string): Promise<void> {
    return this.enqueue(text)
  }

  /** Writes all of it anew; whoever dies in between leaves the old file. */
  rewrite(): Promise<void> {
    return this.enqueue(undefined)
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.writing
    await this.handle?.close()
    this.handle = undefined
  }

  private enqueue(text: string | undefined): Promise<void> {
    if (this.isClosed) return Promise.reject(new Error(`${this.path} is closed`))
    return new Promise((resolve, reject) => {
      this.waiting.push({ text, resolve, reject })
      if (!this.isWriting) this.writing = this.writeAll()
    })
  }

  private async writeAll(): Promise<void> {
    this.isWriting = true
    // Whoever comes within this turn is written with the first.
    await Promise.resolve()
    while (this.waiting.length > 0) {
      const batch = this.waiting
      this.waiting = []
      try {
        await this.write(batch.map(({ text }) => text))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.isWriting = false
  }

  private async write(texts: readonly (string | undefined)[]): Promise<void> {
    // After a failure nobody knows what of it is on the disk: so a whole file takes its place.
    if (this.handle === undefined || texts.includes(undefined)) await this.writeAnew()
    else await this.writeOn(this.handle, Buffer.from(texts.join('')))
  }

  private async writeOn(handle: FileHandle, text: Buffer): Promise<void> {
    try {
      let written = 0
      while (written < text.length) {
        const at = this.bytes + written
        const { bytesWritten } = await handle.write(text, written, text.length - written, at)
        written += bytesWritten
      }
      await handle.datasync()
      this.bytes += text.length
    } catch (error) {
      this.handle = undefined
      await handle.truncate(this.bytes).catch(() => undefined)
      await handle.close().catch(() => undefined)
      throw error
    }
  }

  private async writeAnew(): Promise<void> {
    const { path } = this
    const handle = await open(`${path}.next`, 'w', 0o600)
    try {
      const text = Buffer.from(this.whole())
      await handle.writeFile(text)
      await handle.datasync()
      await rename(`${path}.next`, path)
      await syncDirectory(dirname(path))
      const before = this.handle
      this.handle = handle
      this.bytes = text.length
      await before?.close()
    } catch (error) {
      await handle.close().catch(() => undefined)
      throw error
    }
  }
}

/** @returns undefined when there is none */
export async function readDurable(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Only for this daemon's user, and readable for its group. */
export async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o750 })
}

/** A rename is on the disk only then, and lasts through a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
