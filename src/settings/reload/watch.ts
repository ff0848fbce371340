/** Tells when files change, however they do: written, replaced by rename, re-pointed by a link. */
import { statSync, type Stats, unwatchFile, watchFile } from 'node:fs'

const intervalMs = 1000

/**
 * Looks at what the paths lead to once a second. That sees a swapped symbolic link anywhere on the
 * way (config managers and certbot replace those), which no event of the file itself tells.
 *
 * @returns watches other files from then on; none: stops
 */
export function watchFiles(onChange: () => void): (files: readonly string[]) => void {
  let watched: readonly string[] = []
  const look = (now: Stats, before: Stats) => {
    if (stateOf(now) !== stateOf(before)) onChange()
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

/** Rights count too: a file that could not be read may be readable now. */
const stateOf = ({ mtimeMs, ctimeMs, ino, size }: Stats): string =>
  [mtimeMs, ctimeMs, ino, size].join(' ')

/** What tells one state of files from another. */
export const stateOfFiles = (files: readonly string[]): string =>
  files
    .map((file) => {
      try {
        return stateOf(statSync(file))
      } catch {
        return 'none'
      }
    })
    .join('; ')
