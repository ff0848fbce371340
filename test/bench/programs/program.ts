/** A program that is measured: started, asked until it answers, and stopped. */
import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ask } from '../load/ask.js'
import type { Sandbox } from '../sandbox.js'

export interface Program {
  readonly name: string
  readonly pid: number
  /** Time from its start to its first good answer. */
  readonly readyMs: number
  readonly port: number
  /** 0: it speaks no TLS here. */
  readonly tlsPort: number
  /** `user:password` that it accepts. */
  readonly credential: string
  /** Of everybody it lets in, where each has a password of their own. */
  readonly credentials?: readonly string[]
  stop(): Promise<void>
}

/** What every program is started with. */
export interface Place {
  readonly sandbox: Sandbox
  readonly upstreamPort: number
}

const waitMs = 20_000

/** Resolves when it lets the credential in. */
export async function ready(
  { sandbox }: Place,
  room: string,
  child: ChildProcess,
  facts: Omit<Program, 'pid' | 'readyMs' | 'stop'>,
): Promise<Program> {
  const { name, port, tlsPort, credential } = facts
  const said = (): string => readFileSync(join(room, 'stderr'), 'utf8').slice(0, 2000)
  const { pid } = child
  if (pid === undefined) throw new Error(`${name}: did not start`)
  const startMs = performance.now()
  for (;;) {
    const status = await ask(port, '/id', credential, port === tlsPort).then(
      (answer) => answer.status,
      () => 0,
    )
    if (status === 200) break
    if (child.exitCode !== null) throw new Error(`${name}: ended. ${said()}`)
    if (performance.now() - startMs > waitMs)
      throw new Error(`${name}: answers ${status} to the right credential. ${said()}`)
    await setTimeout(5)
  }
  const readyMs = performance.now() - startMs
  return { ...facts, pid, readyMs, stop: () => sandbox.stop(child) }
}

/** Whether there is a program of this name on the PATH; those in sbin count too. */
export function whereIs(command: string): string | undefined {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
    .map((folder) => join(folder, command))
    .find((path) => existsSync(path))
}
