/** A spool's contents compressed, once for all clients that accept gzip. */
import { constants, createGzip } from 'node:zlib'
import { Chunk } from './chunk.js'
import { Spool } from './spool.js'
import type { SpoolQuota } from './spool-quota.js'

/** The fastest level takes half of the default's time, and JSON still shrinks to a seventh. */
const level = 1

/** Zlib runs in libuv's threads, so the main one does not wait for it. */
export function compressed(plain: Spool, quota: SpoolQuota): Spool {
  const gzip = createGzip({ level, chunkSize: 65_536 })
  const spool = new Spool(quota, { onRoom: () => gzip.resume() })
  gzip.on('data', (bytes: Buffer) => {
    if (!spool.append(new Chunk(bytes))) gzip.pause()
  })
  gzip.once('end', () => {
    spool.finish()
  })
  feed(plain, spool, gzip).catch((error: unknown) => {
    const cut = (): void => {
      spool.finish(error instanceof Error ? error : new Error(String(error)))
      gzip.destroy()
    }
    // The bytes before go out first: clients must see a cut listing, not an empty one.
    if (plain.size > 0) gzip.flush(constants.Z_SYNC_FLUSH, cut)
    else cut()
  })
  return spool
}

async function feed(
  plain: Spool,
  packed: Spool,
  gzip: ReturnType<typeof createGzip>,
): Promise<void> {
  // It proceeds at the pace of its slowest reader.
  const cursor = plain.enter(() => {
    packed.cutSlow()
    gzip.destroy()
  })
  try {
    for (;;) {
      const chunk = await plain.next(cursor)
      if (chunk === undefined) break
      await new Promise<void>((resolve) => {
        gzip.write(chunk.bytes, () => {
          resolve()
        })
      })
      chunk.release()
      // No more bytes have arrived so far: waiting readers get what there is.
      if (cursor.position === plain.size) gzip.flush(constants.Z_SYNC_FLUSH)
    }
    gzip.end()
  } finally {
    plain.leave(cursor)
  }
}
