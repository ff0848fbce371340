/** Lets root check files with the rights of the daemon's user. */
import { execFileSync } from 'node:child_process'
import { UsageError } from '../report.js'

/** The user of the package's unit. */
const packaged = 'pinwarden'

/**
 * For the rest of this process: there is no way back to root.
 *
 * @param user named by the operator; undefined: the packages' one for the packages' file
 * @returns whether this process is now that of the packages' unit
 * @throws UsageError where there is no such user, or this process may not become it
 */
export function becomeDaemonUser(user: string | undefined, isUsualFile: boolean): boolean {
  const isRoot = process.geteuid?.() === 0
  if (user === undefined) {
    if (!isRoot || !isUsualFile || groupOf(packaged) === undefined) return false
    become(packaged)
    return true
  }
  // A number names a user, too.
  const name = idOf('-un', '--', user)
  if (name === undefined) throw new UsageError(`--user: this machine has no user ${user}`)
  if (!isRoot && name !== idOf('-un'))
    throw new UsageError(`--user ${user}: only root may check as another user`)
  if (isRoot) become(name)
  return name === packaged
}

function become(user: string): void {
  const group = groupOf(user)
  if (group === undefined) return
  process.initgroups?.(user, group)
  process.setgid?.(group)
  process.setuid?.(user)
}

/** @returns the number of its first group; undefined: there is no such user */
function groupOf(user: string): number | undefined {
  const found = idOf('-g', '--', user)
  return found === undefined ? undefined : Number(found)
}

function idOf(...args: readonly string[]): string | undefined {
  try {
    return execFileSync('id', args, { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return undefined
  }
}
