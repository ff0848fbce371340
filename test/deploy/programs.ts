/** The programs of others that tests check against, where they are installed. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

// A user's PATH leaves these out; daemons and root's tools lie there.
process.env.PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter)

/** For a test's `skip`: false, or why not all of the programs can be run. */
export function missing(...programs: readonly string[]): string | false {
  const absent = programs.filter((program) => !isThere(program))
  return absent.length > 0 && `not installed here: ${absent.join(', ')}`
}

function isThere(program: string): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
