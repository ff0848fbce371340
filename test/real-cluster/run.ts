/** Runs everything that needs a real cluster, when there is one: `npm run test:cluster`. */
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
const parts = ['conformance', 'passage', 'outages', ...(found.ctl === undefined ? [] : ['control'])]
const files = parts.map((name) => fileURLToPath(new URL(`${name}.js`, import.meta.url)))
const manifest = createRequire(import.meta.url).resolve('tap/package.json')
const tap = join(dirname(manifest), 'dist/esm/run.mjs')
// A group of its own, so that a signal reaches all of it: they clean up behind themselves.
const runner = spawn(process.execPath, [tap, 'run', '--timeout=300', ...files], {
  stdio: 'inherit',
  detached: true,
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (runner.pid !== undefined) process.kill(-runner.pid, signal)
  })
}
const [code] = (await once(runner, 'exit')) as [number | null]
process.exitCode = code ?? 1
