/**
 * `npm run drill:ops`: an operator's day, while encoders keep asking. The real daemon, real files,
 * real commands; every request must be answered rightly, and logged once.
 */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { table } from '../../src/cli/text-table.js'
import { certificate, otherCertificate } from '../support/certificate.js'
import { bin } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { startServed } from './served.js'
import { type Caller, Load, type Verdict } from './load.js'

/** How long the load continues after each step's change is in effect. */
const settledMs = 1500

const directory = mkdtempSync(join(tmpdir(), 'pinwarden-drill-'))
const file = (name: string): string => join(directory, name)
const config = file('config.json')
const cluster = await startFakeCluster()

writeFileSync(file('cert.pem'), certificate.cert)
writeFileSync(file('key.pem'), certificate.key, { mode: 0o600 })
const plenty = { max: 1_000_000, windowSeconds: 60 }
const limits = {
  ...{ reads: plenty, writes: plenty, listings: plenty, inFlight: 100 },
  failures: { max: 100_000 },
}
const settings = {
  listen: {
    port: 0,
    tls: { certFile: 'cert.pem', keyFile: 'key.pem' },
    // All callers come from one address.
    ...{ connectionsMax: 10_000, connectionsPerAddressMax: 10_000 },
  },
  log: { file: 'access.log' },
  cluster: { endpoints: [{ url: cluster.url }] },
  limits,
}
writeFileSync(config, JSON.stringify(settings, null, 2), { mode: 0o640 })

const pinwarden = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [bin, ...args, '--config', config])).stdout
/** NAME:KEY of what `keys add` and `keys rotate` print. */
const credentialIn = (text: string): string => /\/\/([^@\n]+:pw_\w+)@/.exec(text)?.[1] ?? ''
const addKey = async (name: string): Promise<string> =>
  credentialIn(await pinwarden('keys', 'add', name))

const steady = await addKey('steady')
const rotated = await addKey('rotated')
const revoked = await addKey('revoked')
const disabled = await addKey('disabled')

const served = await startServed(config, file('access.log'))
const load = new Load(served.url)
load.start('steady', steady, false, 200)
load.start('steady, new connections', steady, true, 200)
load.start('rotated, old key', rotated, false, 200)
const revokedCaller = load.start('revoked', revoked, false, 200)
const disabledCaller = load.start('disabled', disabled, true, 200)

interface Step {
  readonly name: string
  readonly verdicts: readonly Verdict[]
}
const steps: Step[] = []

async function step(name: string, change: () => Promise<void>): Promise<void> {
  const from = load.verdicts.length
  await change()
  await setTimeout(settledMs)
  steps.push({ name, verdicts: load.verdicts.slice(from) })
}

const idOf = (listing: string, name: string): string =>
  (JSON.parse(listing) as { encoder: string; id: string }[]).find(({ encoder }) => encoder === name)
    ?.id ?? ''

/** Serial number of the certificate that a new connection gets. */
async function serial(): Promise<string> {
  const { hostname, port } = new URL(served.url)
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}
const serialOf = ({ cert }: { readonly cert: string }) => new X509Certificate(cert).serialNumber

function must(isSo: boolean, what: string): void {
  if (!isSo) faults.push(what)
}
/** A command that the daemon takes over; meanwhile the caller may be answered either way. */
async function takeOver(caller: Caller, status: number, command: () => Promise<unknown>) {
  const reloaded = served.next('settings reloaded')
  caller.expect(200, 401)
  await command()
  await reloaded
  caller.expect(status)
}

const faults: string[] = []

await step('nothing: the load alone', () => Promise.resolve())
await step('keys add', async () => {
  const reloaded = served.next('settings reloaded')
  const caller = load.start('added', await addKey('added'), false, 200, 401)
  await reloaded
  caller.expect(200)
})
await step('keys rotate', async () => {
  const reloaded = served.next('settings reloaded')
  const fresh = credentialIn(await pinwarden('keys', 'rotate', 'rotated', '--grace', '1h'))
  const caller = load.start('rotated, new key', fresh, false, 200, 401)
  await reloaded
  caller.expect(200)
})
await step('keys revoke', async () => {
  const id = idOf(await pinwarden('keys', 'list', 'revoked', '--json'), 'revoked')
  await takeOver(revokedCaller, 401, () => pinwarden('keys', 'revoke', 'revoked', id))
})
await step('encoders disable', () =>
  takeOver(disabledCaller, 401, () => pinwarden('encoders', 'disable', 'disabled')),
)
await step('encoders enable', () =>
  takeOver(disabledCaller, 200, () => pinwarden('encoders', 'enable', 'disabled')),
)
const good = readFileSync(config, 'utf8')
await step('config broken', async () => {
  const refused = served.next('settings not reloaded: the old ones stay in force')
  writeFileSync(config, good.slice(0, -20))
  await refused
})
await step('config repaired, limits changed', async () => {
  const reloaded = served.next('settings reloaded')
  writeFileSync(config, good.replace('"inFlight": 100', '"inFlight": 200'))
  served.kill('SIGHUP')
  await reloaded
})
await step('certificate broken', async () => {
  const refused = served.next('settings not reloaded: the old ones stay in force')
  writeFileSync(file('cert.pem'), otherCertificate.cert)
  await refused
  must((await serial()) === serialOf(certificate), 'a bad pair keeps the old certificate')
})
await step('certificate swapped', async () => {
  const reloaded = served.next('settings reloaded')
  writeFileSync(file('key.pem'), otherCertificate.key)
  await reloaded
  must((await serial()) === serialOf(otherCertificate), 'new connections get the new certificate')
})
await step('log moved', async () => {
  renameSync(file('access.log'), file('access.log.1'))
  const reopened = served.next('log reopened')
  served.kill('SIGUSR2')
  await reopened
})

const startMs = performance.now()
await load.stop()
const exitCode = await served.stop()
must(exitCode === 0, `the daemon ends with 0, not ${String(exitCode)}`)
must(performance.now() - startMs < 5000, 'and at once, as nothing is in flight')

const { verdicts } = load
const answered = verdicts.filter(({ status }) => status !== undefined)
const lines = ['access.log.1', 'access.log']
  .flatMap((name) => readFileSync(file(name), 'utf8').trimEnd().split('\n'))
  .map((line) => JSON.parse(line) as { id?: string; outcome?: string })
  .filter(({ outcome }) => outcome !== undefined)
const logged = new Set(lines.map(({ id }) => id))
const unlogged = answered.filter(({ requestId }) => !logged.has(requestId)).length
const passed = answered.filter(({ status }) => status === 200)
must(unlogged === 0, `${unlogged} answered requests have no line in the log`)
must(lines.length === logged.size, `${lines.length - logged.size} requests have two lines`)
must(logged.size === verdicts.length, `${logged.size} lines for ${verdicts.length} requests`)
// Each change of a pin reads the state first.
const asked = cluster.requestCount - cluster.stateReads
const least = passed.filter(({ isShareable }) => !isShareable).length
must(
  least <= asked && asked <= passed.length,
  `the cluster got ${asked} requests, ${passed.length} were answered 200, ${least} to one each`,
)

const all = { name: 'all', verdicts }
process.stdout.write(
  table(
    ['STEP', 'REQUESTS', 'WRONG', 'LOST', 'P50 ms', 'P99 ms', 'MAX ms'],
    [...steps, all].map(rowOf),
  ),
)
process.stdout.write(`${lines.length} log lines in two files, ${asked} requests at the cluster\n`)
for (const { caller, wrong } of verdicts
  .filter((verdict) => verdict.wrong !== undefined)
  .slice(0, 20))
  faults.push(`${caller}: ${wrong ?? ''}`)
for (const fault of faults) process.stderr.write(`WRONG: ${fault}\n`)
process.exitCode = faults.length === 0 ? 0 : 1
await cluster.close()
rmSync(directory, { recursive: true })

function rowOf({ name, verdicts }: Step): string[] {
  const times = verdicts.map(({ durationMs }) => durationMs).sort((a, b) => a - b)
  const at = (part: number) => (times[Math.floor((times.length - 1) * part)] ?? 0).toFixed(1)
  const lost = verdicts.filter(({ status }) => status === undefined).length
  const wrong = verdicts.filter((verdict) => verdict.wrong !== undefined).length - lost
  return [name, verdicts.length, wrong, lost, at(0.5), at(0.99), at(1)].map(String)
}
