/** Notices changed files: written, replaced by a rename, or behind a changed link. */
import { statSync, type Stats, unwatchFile, watchFile } from 'node:fs'

const intervalMs = 1000

/**
 * Looks at what the paths lead to once a second. That sees a swapped symbolic link anywhere on the
 * way (config managers and certbot replace those), which causes no event of the file itself.
 *
 * @returns a function that changes the watched files; none: stops
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

/** Includes the mode: a file may have become readable. */
const stateOf = ({ mtimeMs, ctimeMs, ino, size }: Stats): string =>
  [mtimeMs, ctimeMs, ino, size].join(' ')

/** A text that differs between two states of the files. */
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
