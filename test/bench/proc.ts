/** What Linux knows of a process and those it started: CPU time and memory. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** USER_HZ: the same on every architecture that Node runs on. */
const ticksPerSecond = 100

/** A process and those under it. */
export function treeOf(root: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: Number(statOf(Number(name))[1]) }))
  const tree = [root]
  // It grows while it is walked.
  for (const pid of tree) for (const each of parents) if (each.parent === pid) tree.push(each.pid)
  return tree
}

/** User and system, in seconds, of the whole tree. */
export function cpuOf(root: number): number {
  const ticks = treeOf(root)
    .map(statOf)
    .reduce((sum, fields) => sum + Number(fields[11] ?? 0) + Number(fields[12] ?? 0), 0)
  return ticks / ticksPerSecond
}

export function rssOf(root: number): number {
  return memoryOf(root, 'VmRSS')
}

/** The highest since {@link resetPeak}; of a tree the sum, as if all were highest at once. */
export function peakOf(root: number): number {
  return memoryOf(root, 'VmHWM')
}

export function resetPeak(root: number): void {
  for (const pid of treeOf(root)) writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** In bytes. */
function memoryOf(root: number, field: string): number {
  const pattern = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm')
  return treeOf(root)
    .map((pid) => Number(pattern.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0) * 1024)
    .reduce((sum, bytes) => sum + bytes, 0)
}

/** From the state on: the name before it may hold spaces. */
function statOf(pid: number): string[] {
  const text = textOf(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** '' when the process has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
