/** Standard output into a file, which a full disk may cut off anywhere. */
import { fstatSync, writeSync } from 'node:fs'
import type { Sink } from './io.js'

/**
 * Node writes to a file with a single call, and takes a part of the text for all of it; this writes
 * the rest, too, or learns that there is no room.
 *
 * @param stream the same output, for everything but files
 * @param onFault called with the first failure; later text is dropped
 */
export function wholeOutput(stream: Sink, fd: number, onFault: (error: Error) => void): Sink {
  if (!isFile(fd)) return stream
  let hasFailed = false
  return {
    write: (text) => {
      if (hasFailed) return
      try {
        const bytes = Buffer.from(text)
        for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done)
      } catch (error) {
        hasFailed = true
        onFault(error as Error)
      }
    },
  }
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false
  }
}
