/** A real redis-server of a test's own, on a port of its own, without anything on the disk. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { freePort } from './free-port.js'

const command = 'redis-server'

/** Why a test is skipped; false: it is not. */
export const noRedis =
  spawnSync(command, ['--version']).status === 0 ? false : `${command} is not installed`

export class TestRedis {
  private constructor(
    readonly port: number,
    private readonly options: readonly string[],
    private server: ChildProcess,
  ) {}

  static async start(t: Test, options: readonly string[] = []): Promise<TestRedis> {
    const redis = await TestRedis.open(options)
    t.teardown(() => redis.kill())
    return redis
  }

  /** For a test that ends it. */
  static async open(options: readonly string[] = []): Promise<TestRedis> {
    const port = await freePort()
    return new TestRedis(port, options, await started(port, options))
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** With everything that it held. */
  async kill(): Promise<void> {
    const { server } = this
    if (server.exitCode !== null || server.signalCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
  }

  async comeBack(): Promise<void> {
    this.server = await started(this.port, this.options)
  }

  /** Takes connections and commands, and answers nothing. */
  pause(): void {
    this.server.kill('SIGSTOP')
  }

  resume(): void {
    this.server.kill('SIGCONT')
  }
}

async function started(port: number, options: readonly string[]): Promise<ChildProcess> {
  const plain = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const server = spawn(command, [...plain, ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  for await (const part of server.stdout as AsyncIterable<Buffer>) {
    said += part.toString()
    if (said.includes('Ready to accept connections')) break
  }
  server.stdout.resume()
  return server
}
