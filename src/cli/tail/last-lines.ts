/** Finds the last lines of a file by reading it from its end: a log may have gigabytes. */
import { open, type FileHandle } from 'node:fs/promises'

export interface LastLines {
  readonly lines: readonly string[]
  /** Offset behind the last complete line, in bytes. */
  readonly end: number
}

const blockBytes = 65_536

/** Most bytes that are held of a file without line ends. */
const lineBytesMax = 1024 * 1024

const newline = 0x0a

/**
 * The last `count` lines that fit, in the order of the file.
 *
 * @param until offset behind the end of a line
 */
export async function lastLines(
  path: string,
  isWanted: (line: string) => boolean,
  count: number,
  until?: number,
): Promise<LastLines> {
  const file = await open(path, 'r')
  try {
    const end = until ?? (await endOfLines(file))
    const lines: string[] = []
    if (count > 0)
      for await (const line of backwards(file, end)) {
        if (isWanted(line)) lines.push(line)
        if (lines.length === count) break
      }
    return { lines: lines.reverse(), end }
  } finally {
    await file.close()
  }
}

async function endOfLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat()
  for (let end = size; end > 0; end -= blockBytes) {
    const block = await blockBefore(file, end)
    const at = block.lastIndexOf(newline)
    if (at >= 0) return end - block.length + at + 1
  }
  return 0
}

/** Lines from the last to the first; `end` is the offset after a line's end. */
async function* backwards(file: FileHandle, end: number): AsyncGenerator<string> {
  // Bytes of a line whose beginning has not been read yet.
  let rest = Buffer.alloc(0)
  for (let at = end - 1; at > 0; at -= blockBytes) {
    let block = Buffer.concat([await blockBefore(file, at), rest])
    for (let cut = block.lastIndexOf(newline); cut >= 0; cut = block.lastIndexOf(newline)) {
      yield block.toString('utf8', cut + 1)
      block = block.subarray(0, cut)
    }
    rest = block.length > lineBytesMax ? Buffer.alloc(0) : block
  }
  if (end > 0) yield rest.toString()
}

async function blockBefore(file: FileHandle, end: number): Promise<Buffer> {
  const length = Math.min(blockBytes, end)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, end - length)
  return buffer.subarray(0, bytesRead)
}
