/**
 * The program that is measured has one core for itself, and its clients and upstream the others,
 * so no program costs more because another one was busy. Without taskset the kernel decides.
 */
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { whereIs } from './programs/program.js'

const taskset = cpus().length > 1 ? whereIs('taskset') : undefined

export const sharing =
  taskset === undefined
    ? 'all cores for everybody'
    : 'one core for the program, the others for load and upstream'

/** Takes this process, and what it starts from now on, off the program's core. */
export function leaveFirstCore(): void {
  if (taskset === undefined) return
  const others = `1-${cpus().length - 1}`
  spawnSync(taskset, ['--all-tasks', '--cpu-list', '--pid', others, String(process.pid)])
}

export type Cores = 'first' | 'all'

/** The command line that runs a program there. */
export function onCores(
  cores: Cores,
  command: string,
  args: readonly string[],
): readonly [first: string, ...rest: string[]] {
  if (taskset === undefined) return [command, ...args]
  const list = cores === 'first' ? '0' : `0-${cpus().length - 1}`
  return [taskset, '--cpu-list', list, command, ...args]
}
