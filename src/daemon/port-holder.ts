/** Which processes listen on a TCP port, as far as this user may see them. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, resolve } from 'node:path'

export interface PortHolder {
  readonly pid: number
  /** Such as `nginx`. */
  readonly program: string
  /** That a pinwarden was started with; undefined: the usual one, or another program. */
  readonly settingsFile?: string | undefined
}

/** @returns none where the holder is another user's process, or the system has no /proc */
export function portHolders(port: number): readonly PortHolder[] {
  const sockets = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((at) => listening(at, port)))
  if (sockets.size === 0) return []
  const pids = seen(() => readdirSync('/proc'), []).filter((name) => /^\d+$/.test(name))
  return pids
    .filter((pid) => descriptorsOf(`/proc/${pid}/fd`).some((link) => sockets.has(link)))
    .map(holderOf)
}

/** In the words of proc(5): the links of descriptors name sockets by the same inode. */
const listening = (table: string, port: number): readonly string[] =>
  seen(() => readFileSync(table, 'utf8'), '')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, local = '', , state]) => state === '0A' && portIn(local) === port)
    .map(({ 9: inode = '' }) => `socket:[${inode}]`)

const portIn = (address: string): number => parseInt(address.split(':')[1] ?? '', 16)

const descriptorsOf = (directory: string): readonly string[] =>
  seen(() => readdirSync(directory), []).map((fd) =>
    seen(() => readlinkSync(`${directory}/${fd}`), ''),
  )

function holderOf(pid: string): PortHolder {
  const listIn = (name: string) =>
    seen(() => readFileSync(`/proc/${pid}/${name}`, 'utf8'), '').split('\0')
  const [program = '', ...args] = listIn('cmdline')
  const found = { pid: Number(pid), program: basename(program) }
  const at = args.findIndex((arg) => /(?:^|\/)(?:main\.js|pinwarden)$/.test(arg))
  if (at < 0 || !args.includes('serve', at)) return found
  const inLine = args.flatMap((arg, index) => {
    const joined = /^(?:--config=|-c(?=.))(.+)$/s.exec(arg)?.[1]
    return joined ?? (arg === '--config' || arg === '-c' ? (args[index + 1] ?? []) : [])
  })
  const named = listIn('environ').flatMap(
    (pair) => /^PINWARDEN_CONFIG=(.+)$/s.exec(pair)?.[1] ?? [],
  )
  const file = inLine.at(-1) ?? named[0]
  const directory = seen(() => readlinkSync(`/proc/${pid}/cwd`), '/')
  return { ...found, program: 'pinwarden', settingsFile: file && resolve(directory, file) }
}

/** Processes end while they are looked at, and those of other users are hidden. */
function seen<T>(look: () => T, otherwise: T): T {
  try {
    return look()
  } catch {
    return otherwise
  }
}
