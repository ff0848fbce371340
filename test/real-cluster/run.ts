/**
 * Runs what needs a real cluster, when there is one: `npm run test:cluster`, or some parts of it,
 * `npm run test:cluster -- crashes hands`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findBinaries, howToGet } from './binaries.js'

const found = findBinaries()
if (found === undefined) {
  process.stderr.write(howToGet)
  process.exit(1)
}
if (found.ctl === undefined) {
  process.stdout.write('ipfs-cluster-ctl was not found: its part is left out\n')
}
for (const program of [found.service, found.kubo]) {
  process.stdout.write(execFileSync(program, ['--version']))
}
const scenarios = ['crashes', 'hands', 'kubo-away', 'peers']
const tests = ['conformance', 'passage', 'outages', ...(found.ctl === undefined ? [] : ['control'])]
const asked = process.argv.slice(2)
const parts = asked.length > 0 ? asked : [...tests, ...scenarios]
const fileOf = (name: string) => fileURLToPath(new URL(`${name}.js`, import.meta.url))

/** A group of its own, so that a signal reaches all of it: they clean up behind themselves. */
async function run(args: readonly string[], stdout: 'inherit' | 'ignore'): Promise<void> {
  const stdio = ['ignore', stdout, 'inherit'] as const
  const runner = spawn(process.execPath, args, { stdio: [...stdio], detached: true })
  const pass = (signal: NodeJS.Signals) => {
    if (runner.pid !== undefined) process.kill(-runner.pid, signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, pass)
  const [code] = (await once(runner, 'exit')) as [number | null]
  for (const signal of signals) process.off(signal, pass)
  if (code === null) process.exit(1)
  if (code !== 0) process.exitCode = code
}

const files = parts.filter((name) => tests.includes(name)).map(fileOf)
if (files.length > 0) {
  const manifest = createRequire(import.meta.url).resolve('tap/package.json')
  const tap = join(dirname(manifest), 'dist/esm/run.mjs')
  const reporter = process.stdout.isTTY ? 'base' : 'terse'
  await run([tap, 'run', '--timeout=300', `--reporter=${reporter}`, ...files], 'inherit')
}
// One at a time, as they measure times; each reports its outcome in one line.
for (const name of parts.filter((name) => !tests.includes(name)))
  await run([fileOf(name)], 'ignore')
