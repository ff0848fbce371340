/**
 * Suites of others that talk to a cluster, through the gate: `npm run test:cluster -- suites`.
 *
 * - `SUITE_SHARNESS`: a checkout of ipfs-cluster, whose shell tests drive service and ctl, and
 *   `SHARNESS`: one of sharness, which they need
 * - `SUITE_CLIENT_JS`: a checkout of the client @nftstorage/ipfs-cluster with its dependencies
 * - `SUITE_CLIENT_GO`: the compiled tests of the Go REST client, changed so that their API listens
 *   on 127.0.0.1:9194, and that they ask 127.0.0.1:9094
 *
 * `SUITES_ONLY`, a pattern, leaves shell tests out; with `SUITES_DIRECT` the gate is left out, to
 * also see what fails without it.
 *
 * The shell tests end their cluster by name: the service has to be called ipfs-cluster-service.
 * They use fixed ports and end programs by name, so all runs in namespaces of its own: Linux, root.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { once } from 'node:events'
import t from 'tap'
import { table } from '../../src/cli/text-table.js'
import { certificate } from '../support/certificate.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { startDaemon } from '../support/daemon.js'
import { binaries } from './binaries.js'
import { startCluster } from './cluster-service.js'
import { startKubo } from './kubo.js'
import { temporaryFolder } from './processes.js'
import { startSuiteFront } from './suite-front.js'

t.setTimeout(1_800_000)
const programs = binaries()
const { SUITE_SHARNESS, SHARNESS, SUITE_CLIENT_JS, SUITE_CLIENT_GO, SUITES_DIRECT, SUITES_ONLY } =
  process.env
const [frontPort, clusterPort, kuboPort] = [9094, 9194, 5001]
const plenty = { max: 1_000_000, windowSeconds: 60 }
const cleanup = 'the newest pin is gone after a restart, as after a crash: it is pinned again'
/** What cannot pass through a gate, and why. */
const byDesign: Readonly<Record<string, string>> = {
  'cluster.pin pins a CID':
    'the test adds the pin outside the gate before: the name of a pin with another holder stays',
  'state cleanup refreshes state on restart (crdt)': cleanup,
  'state cleanup refreshes state on restart (raft)': cleanup,
  TestWaitForPin:
    'its cluster never shows what it took: the gate pins again, and its time begins anew',
  TestWaitForUnpin: 'its cluster answers 500 to the read of who holds the pin: 502',
  'pin with metadata': 'asks the cluster for the record past the gate, and sees the lease in it',
  'pin in direct mode': '400 parameter mode invalid: the cluster would pin it recursively',
}

const key = generateKey()
const everyOption = ['replication', 'user-allocations', 'origins', 'pin-update']

interface Result {
  readonly name: string
  readonly outcome: 'ok' | 'not ok' | 'by design' | 'expected' | 'skipped'
}

const results: (Result & { readonly suite: string })[] = []
const refusals = new Map<string, number>()

interface GateOptions {
  readonly port?: number
  readonly isTls?: boolean
  readonly endpoint?: object
}

/** The gate, with the encoder whose credential the suites have in their code. */
async function startSuiteGate({ port = 0, isTls = false, endpoint = {} }: GateOptions = {}) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'cert.pem'), certificate.cert)
  writeFileSync(join(folder, 'key.pem'), certificate.key, { mode: 0o600 })
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  const keys = [{ id: 'k', sha256: digestOf(key) }]
  const encoder = { role: 'operator', options: everyOption, keys }
  const { daemon, url } = await startDaemon(t, {
    listen: { host: '127.0.0.1', port, ...(isTls && { tls }) },
    cluster: {
      endpoints: [{ url: `http://127.0.0.1:${clusterPort}`, ...endpoint }],
      health: { intervalMs: 3_600_000, failuresMax: 1000 },
    },
    ledger: { directory: join(folder, 'ledger') },
    limits: {
      reads: plenty,
      writes: plenty,
      listings: plenty,
      inFlight: 1000,
      failures: { max: 100_000 },
    },
    encoders: { testuser: encoder },
  })
  return {
    port: Number(new URL(url).port),
    stop: async () => {
      daemon.process.kill('SIGTERM')
      await daemon.exited
    },
  }
}

/** Runs a suite with the gate where it expects the cluster. */
async function throughGate<T>(isForAll: boolean, act: () => Promise<T>): Promise<T> {
  const gate = await startSuiteGate()
  const front = await startSuiteFront({
    ...{ port: frontPort, clusterPort, isForAll },
    gatePort: SUITES_DIRECT === undefined ? gate.port : clusterPort,
    credential: { given: basic('user:secret'), known: basic(`testuser:${key}`) },
  })
  try {
    return await act()
  } finally {
    for (const [key, count] of front.refused) refusals.set(key, (refusals.get(key) ?? 0) + count)
    await front.close()
    await gate.stop()
  }
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

const limitMs = 120_000

/** Runs a program to its end; what it says, however it ended. */
async function output(
  program: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const child = spawn(program, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const limit = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), limitMs)
  await once(child, 'exit')
  clearTimeout(limit)
  if (process.env.SUITES_VERBOSE !== undefined) process.stderr.write(text)
  return text
}

function note(
  suite: string,
  text: string,
  pattern: RegExp,
  outcome: (word: string) => Result['outcome'],
) {
  for (const [line, word = '', name = ''] of text.matchAll(pattern)) {
    const isExpected = line.includes('# TODO known breakage')
    const isSkipped = /# skip/i.test(line)
    const said = isExpected ? 'expected' : isSkipped ? 'skipped' : outcome(word)
    const plain = name.replace(/ # .*/, '')
    const isDesigned = said === 'not ok' && plain in byDesign
    results.push({ suite, name: plain, outcome: isDesigned ? 'by design' : said })
  }
}

const isAsked = (name: string): boolean =>
  /^t\d.*\.sh$/.test(name) && new RegExp(SUITES_ONLY ?? '').test(name)

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

/** Shell tests: what they call is put before the PATH. */
async function sharness(checkout: string, library: string): Promise<void> {
  const kubo = await startKubo(t, programs.kubo, kuboPort)
  const folder = temporaryFolder()
  const shims = join(folder, 'bin')
  mkdirSync(shims)
  const shim = (name: string, text: string) => {
    writeFileSync(join(shims, name), `#!/bin/bash\n${text}\n`)
    chmodSync(join(shims, name), 0o755)
  }
  const listen = `/ip4/127.0.0.1/tcp/${clusterPort}`
  shim(
    'ipfs-cluster-service',
    `CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS=${listen} exec ${programs.service} "$@"`,
  )
  shim('ipfs', `IPFS_PATH=${kubo.folder} exec ${programs.kubo} "$@"`)
  symlinkSync(programs.ctl ?? '', join(shims, 'ipfs-cluster-ctl'))
  // The suite has its Kubo in a container called ipfs.
  shim(
    'docker',
    'case "$1" in ps) echo ipfs;; exec) while [ "$1" != ipfs ]; do shift; done; shift; exec "$@";; esac',
  )
  const copy = join(folder, 'sharness')
  cpSync(join(checkout, 'sharness'), copy, { recursive: true })
  cpSync(library, join(copy, 'lib/sharness'), { recursive: true })
  const env = { ...process.env, PATH: `${shims}:${process.env.PATH ?? ''}`, HOME: folder }
  for (const script of readdirSync(copy).filter(isAsked)) {
    const suite = `sharness ${script.replace('.sh', '')}`
    const run = async () => {
      const text = await output('bash', [script, '-v'], copy, env)
      note(suite, text, /^(ok|not ok) \d+ - (.*)$/gm, (word) => word as 'ok' | 'not ok')
      // One that was broken off leaves its cluster behind. These are the processes of a namespace.
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
        if (commandOf(pid).startsWith(programs.service)) process.kill(Number(pid), 'SIGKILL')
    }
    const isTls = script.includes('ssl') && !script.includes('enforcement')
    const hasLogin = script.includes('basic-auth')
    if (!isTls && !hasLogin) {
      await throughGate(true, run)
      continue
    }
    // These are about TLS and credentials: the gate itself stands where the cluster is expected.
    const config = join(
      copy,
      'config',
      isTls ? (hasLogin ? 'ssl-basic_auth' : 'ssl') : 'basic_auth',
    )
    if (hasLogin) {
      writeFileSync(join(folder, 'password'), 'testpass')
      const text = readFileSync(join(copy, script), 'utf8')
      writeFileSync(join(copy, script), text.replaceAll('testuser:testpass', `testuser:${key}`))
    }
    const login = { username: 'testuser', passwordFile: join(folder, 'password') }
    const gate = await startSuiteGate({
      port: frontPort,
      isTls,
      endpoint: {
        ...(isTls && {
          url: `https://127.0.0.1:${clusterPort}`,
          caFile: join(config, 'server.crt'),
        }),
        ...(hasLogin && login),
      },
    })
    // Without a credential of its own a test of TLS alone uses the environment.
    Object.assign(env, hasLogin ? {} : { CLUSTER_CREDENTIALS: `testuser:${key}` })
    await run()
    Reflect.deleteProperty(env, 'CLUSTER_CREDENTIALS')
    await gate.stop()
  }
  await kubo.stop()
}

async function clientJs(checkout: string): Promise<void> {
  const kubo = await startKubo(t, programs.kubo)
  const cluster = await startCluster(t, programs.service, kubo, { restPort: clusterPort })
  const copy = join(temporaryFolder(), 'client')
  cpSync(checkout, copy, { recursive: true })
  const spec = join(copy, 'test/all.spec.js')
  // It brings a fetch that is older than the Node of today, which has its own.
  const ownFetch = readFileSync(spec, 'utf8').replace(/^import .* from '@web-std\/.*$/gm, '')
  writeFileSync(spec, ownFetch)
  const mocha = join(copy, 'node_modules/mocha/bin/mocha')
  const args = [mocha, '--timeout', '20000', '--reporter', 'tap', 'test/*.spec.js']
  const text = await throughGate(false, () => output(process.execPath, args, copy))
  note('client in JavaScript', text, /^(ok|not ok) \d+ (.*)$/gm, (word) => word as 'ok' | 'not ok')
  await cluster.stop()
}

/** Each test with a gate of its own: each has a cluster of its own, which knows nothing before. */
async function clientGo(program: string): Promise<void> {
  const run = (...args: string[]) => output(program, args, dirname(program))
  const names = (await run('-test.list', '.')).match(/^Test\w+$/gm) ?? []
  for (const name of names) {
    const text = await throughGate(true, () => run('-test.v', '-test.run', `^${name}$`))
    note('client in Go', text, /^--- (PASS|FAIL|SKIP): (\S+)/gm, (word) =>
      word === 'PASS' ? 'ok' : word === 'SKIP' ? 'skipped' : 'not ok',
    )
  }
}

async function runAll(): Promise<void> {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  if (SUITE_CLIENT_JS !== undefined) await clientJs(SUITE_CLIENT_JS)
  if (SUITE_CLIENT_GO !== undefined) await clientGo(SUITE_CLIENT_GO)
  if (SUITE_SHARNESS !== undefined && SHARNESS !== undefined)
    await sharness(SUITE_SHARNESS, SHARNESS)
  const suites = [...new Set(results.map(({ suite }) => suite))]
  const rows = suites.map((suite) => {
    const own = results.filter((result) => result.suite === suite)
    const count = (outcome: string) => String(own.filter((one) => one.outcome === outcome).length)
    return [suite, ...['ok', 'not ok', 'by design', 'expected', 'skipped'].map(count)]
  })
  process.stderr.write(
    table(['SUITE', 'PASSED', 'FAILED', 'BY DESIGN', 'KNOWN BREAKAGE', 'SKIPPED'], rows),
  )
  const failed = results.filter(({ outcome }) => outcome === 'not ok')
  for (const { suite, name } of failed) process.stderr.write(`FAILED ${suite}: ${name}\n`)
  for (const { suite, name } of results.filter(({ outcome }) => outcome === 'by design'))
    process.stderr.write(`BY DESIGN ${suite}: ${name}: ${byDesign[name] ?? ''}\n`)
  process.stderr.write('Refused by design, asked of the cluster instead:\n')
  for (const [key, count] of [...refusals].sort()) process.stderr.write(`  ${key} (${count})\n`)
  process.stderr.write(
    `VERDICT ${results.length - failed.length} of ${results.length} tests pass · suites of others\n`,
  )
  if (failed.length > 0) process.exitCode = 1
}

if (process.env.PINWARDEN_SUITES === 'own namespaces')
  await t.test('suites', async () => {
    await runAll().catch((error: unknown) => {
      process.stderr.write(`VERDICT BROKEN: ${String(error)} · suites of others\n`)
      throw error
    })
  })
else {
  const namespaces = ['--net', '--pid', '--fork', '--mount-proc', '--kill-child']
  const args = [...namespaces, process.execPath, process.argv[1] ?? '']
  const env = { ...process.env, PINWARDEN_SUITES: 'own namespaces' }
  const [code] = (await once(spawn('unshare', args, { env, stdio: 'inherit' }), 'exit')) as [number]
  process.exitCode = code
}
