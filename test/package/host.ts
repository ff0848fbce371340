/** The machine that the package is installed on, which must be as before in the end. */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'

const tools = ['dpkg', 'dpkg-deb', 'setpriv', 'systemd-socket-activate']
const configDirectory = '/etc/pinwarden'

/** Standard output of a program. @throws with all that it said when it fails */
export async function say(program: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { stdout } = await promisify(execFile)(program, args, { env })
  return stdout
}

const succeeds = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args).status === 0

/** Why it cannot be done here; undefined: it can. */
export function obstacle(): string | undefined {
  const missing = tools.filter((tool) => spawnSync(tool, ['--version']).error !== undefined)
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`
  if (process.getuid?.() !== 0) return 'only root installs packages'
  if (succeeds('dpkg', '--status', 'pinwarden')) return 'pinwarden is installed already'
  if (existsSync(configDirectory)) return `${configDirectory} is there already`
  return undefined
}

const hadUser = succeeds('getent', 'passwd', 'pinwarden')

/** Removes everything that the package and its use left. */
export function restore(): void {
  spawnSync('dpkg', ['--purge', 'pinwarden'])
  if (!hadUser) {
    // A step that failed may have left a daemon, which ends with this process.
    spawnSync('userdel', ['--force', 'pinwarden'])
    spawnSync('groupdel', ['pinwarden'])
  }
}
