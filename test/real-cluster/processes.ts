/** Real programs in a temporary folder: both are gone when this process is, however it ends. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

type Environment = Readonly<Record<string, string>>

const folders = new Set<string>()
const running = new Set<ChildProcess>()
const outputKeptMax = 20_000

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) remove(folder)
})
for (const [signal, number] of [
  ['SIGHUP', 1],
  ['SIGINT', 2],
  ['SIGTERM', 15],
] as const) {
  process.once(signal, () => process.exit(128 + number))
}

export function temporaryFolder(within = tmpdir()): string {
  const folder = mkdtempSync(join(within, 'pinwarden-real-'))
  folders.add(folder)
  return folder
}

/** What was just killed may still be writing. */
function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  folders.delete(folder)
}

/** The programs get only the given environment. */
function environmentWith(variables: Environment): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(CLUSTER|IPFS|KUBO)_/.test(name))
  return { ...Object.fromEntries(kept), ...variables }
}

/** Runs a program to its end; rejects, with what it said, when that was no good one. */
export async function runOnce(
  program: string,
  args: readonly string[],
  variables: Environment = {},
): Promise<string> {
  const options = { env: environmentWith(variables), timeout: 60_000 }
  const { stdout } = await promisify(execFile)(program, [...args], options)
  return stdout
}

/** A program that runs until it is stopped. */
export class Running {
  #output = ''
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  constructor(
    private readonly program: string,
    args: readonly string[],
    variables: Environment,
    /** Removed once the program has ended. */
    private readonly folder: string,
  ) {
    const child = spawn(program, [...args], {
      env: environmentWith(variables),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    running.add(child)
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-outputKeptMax)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.#exited = once(child, 'exit').then(() => running.delete(child))
  }

  /** Polls until the question is answered with true, or the program has ended, or 60 s. */
  async ready(ask: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 60_000; Date.now() < end;) {
      if (!running.has(this.#child)) break
      if (await ask().catch(() => false)) return
      await delay(50)
    }
    throw new Error(`${this.program} does not come up:\n${this.#output}`)
  }

  /** As by the kernel that is out of memory: nothing is tidied up. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** It hangs, connections and all, until it is thawed. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** Politely first; what is frozen hears nothing else. */
  async stop(): Promise<void> {
    this.thaw()
    this.#child.kill('SIGTERM')
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await this.#exited
    clearTimeout(patience)
  }

  async stopAndRemove(): Promise<void> {
    await this.stop()
    remove(this.folder)
  }
}

/** Free at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
