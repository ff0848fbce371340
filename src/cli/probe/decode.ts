/** Takes a compression off a body, as axios does unasked. */
import { brotliDecompressSync, unzipSync } from 'node:zlib'

/** @throws when the body is not what it is said to be, or would be longer than allowed */
export function decoded(bytes: Buffer, encoding: string, maxOutputLength: number): Buffer {
  const name = encoding.toLowerCase()
  if (name === 'br') return brotliDecompressSync(bytes, { maxOutputLength })
  if (['gzip', 'x-gzip', 'deflate', 'compress', 'x-compress'].includes(name))
    return unzipSync(bytes, { maxOutputLength })
  return bytes
}
