/**
 * `npm run test:package`: builds the Debian package, installs it on this machine, and goes an
 * operator's way with it: to a first pin over TLS, through a day's work, an upgrade under load,
 * every optional part and every command, and its removal. What cannot be tested here it says, and
 * ends with 0.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSteps } from './build.js'
import { commandSteps } from './commands.js'
import { containerSteps } from './container.js'
import { daySteps } from './day.js'
import { obstacle, restore, say } from './host.js'
import { lateFiles, loadedFiles } from './late-code.js'
import { partSteps } from './parts/all.js'
import { removalSteps } from './removal.js'
import { Steps } from './steps.js'

await installer()
const reason = obstacle()
if (reason === undefined) await way()
else process.stdout.write(`not tested here: ${reason}\n`)

async function way(): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), 'pinwarden-package-'))
  // The installed program's user goes through it.
  chmodSync(place, 0o755)
  const steps = new Steps()
  try {
    await walk(steps, place)
  } finally {
    process.stdout.write(steps.table)
    await steps.end()
    restore()
    rmSync(place, { recursive: true })
  }
}

/** The tests of install.sh, which need no root and take long. */
async function installer(): Promise<void> {
  const tests = fileURLToPath(new URL('../deploy/installer.js', import.meta.url))
  const text = await say(process.execPath, tests)
  const count = /^1\.\.(\d+)$/m.exec(text)?.[1] ?? '0'
  process.stdout.write(`install.sh: ${count} tests passed\n`)
}

async function walk(steps: Steps, place: string): Promise<void> {
  const built = await buildSteps(steps, place)
  const coverage = join(place, 'coverage')
  mkdirSync(coverage)
  // Processes of several users write into it what code they loaded.
  chmodSync(coverage, 0o1777)
  process.env.NODE_V8_COVERAGE = coverage
  await daySteps(steps, built)
  await partSteps(steps, place)
  await commandSteps(steps, place)
  await steps.step('all code that is loaded late was loaded', async () => {
    const late = lateFiles()
    const loaded = loadedFiles(coverage)
    assert(late.length > 0)
    assert.deepEqual(
      late.filter((name) => !loaded.has(name)),
      [],
    )
    return Promise.resolve(`${late.length} files`)
  })
  await containerSteps(steps, place, built.context)
  await removalSteps(steps, built)
}
