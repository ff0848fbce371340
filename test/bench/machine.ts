/** What it was measured on, and with what. */
import { spawnSync } from 'node:child_process'
import { cpus, release, type } from 'node:os'
import { peers } from './bench.js'
import { sharing } from './cores.js'
import { whereIs } from './programs/program.js'

export function machine(): string[] {
  const model = cpus()[0]?.model ?? 'unknown CPU'
  const versions = peers.flatMap(({ command, version }) => {
    const path = whereIs(command)
    if (path === undefined) return []
    const { stdout, stderr } = spawnSync(path, [version], { encoding: 'utf8' })
    const [line = ''] = `${stdout}${stderr}`.trim().split('\n')
    return [line.includes(command) || line.startsWith('HA') ? line : `${command} ${line}`]
  })
  return [
    `${model}, ${cpus().length} cores, ${type()} ${release()}`,
    sharing,
    `node ${process.version}`,
    ...versions,
  ]
}

/** How to get what is not installed; its rows are left out. */
export function missing(): string {
  return peers
    .filter(({ command }) => whereIs(command) === undefined)
    .map(({ command, install }) => `${command} is not on the PATH (Debian: ${install})\n`)
    .join('')
}
