/** Tells when files change, however they do: written, replaced by rename, re-pointed by a link. */
import { unwatchFile, watchFile } from 'node:fs'

const intervalMs = 1000

/**
 * Looks at what the paths lead to once a second. That sees a swapped symbolic link anywhere on the
 * way (config managers and certbot replace those), which no event of the file itself tells.
 *
 * @returns watches other files from then on; none: stops
 */
export function watchFiles(onChange: () => void): (files: readonly string[]) => void {
  let watched: readonly string[] = []
  const look = (now: { mtimeMs: number; ino: number; size: number }, before: typeof now) => {
    const isOther =
      now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size
    if (isOther) onChange()
  }
  return (files) => {
    for (const file of watched) if (!files.includes(file)) unwatchFile(file, look)
    for (const file of files) {
      if (!watched.includes(file))
        watchFile(file, { interval: intervalMs, persistent: false }, look)
    }
    watched = files
  }
}
