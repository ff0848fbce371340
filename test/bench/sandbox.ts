/** The bench's sandbox: a temporary folder and processes, of which it leaves nothing. */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Cores, onCores } from './cores.js'
import { treeOf } from './proc.js'

const stopMs = 3000

export class Sandbox {
  private readonly folder = mkdtempSync(join(tmpdir(), 'pinwarden-bench-'))
  private readonly children = new Set<ChildProcess>()
  private folders = 0
  /** Of the programs that are measured. */
  cores: Cores = 'first'

  constructor() {
    process.once('exit', () => {
      this.clear()
    })
    // Ctrl-C under npm comes twice.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => process.exit(130))
  }

  /** A new folder for one program. */
  room(name: string): string {
    const path = join(this.folder, `${++this.folders}-${name.replace(/[^a-z0-9]+/gi, '-')}`)
    mkdirSync(path)
    return path
  }

  /** What it says on stderr is in `stderr` of its room. */
  spawn(room: string, command: string, args: readonly string[]): ChildProcess {
    const stdio: StdioOptions = ['ignore', 'ignore', 'pipe']
    // Caddy keeps things in the home folder otherwise.
    const env = { ...process.env, HOME: room, XDG_DATA_HOME: room, XDG_CONFIG_HOME: room }
    const child = spawn(command, args, { stdio, cwd: room, env })
    child.stderr?.pipe(createWriteStream(join(room, 'stderr')))
    this.children.add(child)
    child.once('exit', () => this.children.delete(child))
    return child
  }

  /** One that is measured. */
  spawnProgram(room: string, command: string, args: readonly string[]): ChildProcess {
    const [first, ...rest] = onCores(this.cores, command, args)
    return this.spawn(room, first, rest)
  }

  async stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const isOver = await Promise.race([exited.then(() => true), setTimeout(stopMs, false)])
    if (isOver) return
    this.kill(child)
    await exited
  }

  private kill({ pid }: ChildProcess): void {
    if (pid === undefined) return
    for (const each of treeOf(pid)) {
      try {
        process.kill(each, 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  private clear(): void {
    for (const child of this.children) this.kill(child)
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
