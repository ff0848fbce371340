/**
 * `npm run attack [-- NAME…]`: each attack of attacks/ against the real daemon, beside a
 * well-behaved encoder, whose latency, errors and log lines it prints: quiet, then attacked.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { table } from '../../src/cli/text-table.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { startDaemon } from '../soak/daemon.js'
import { certificate } from '../support/certificate.js'
import { type Attack, loadAttack, type Order } from './attack.js'
import { type Experience, WellBehaved } from './encoder.js'

const quietMs = 4000
const attackedMs = 8000
/** From the first blow on, until it bites. */
const biteMs = 1000

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const known = readdirSync(here('attacks'))
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -'.js'.length))
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !known.includes(name))
if (unknown.length > 0)
  throw new Error(`no attack ${unknown.join(', ')}; there are: ${known.join(', ')}`)

const faults: string[] = []
const rows: string[][] = []
for (const name of wanted.length > 0 ? wanted : known) {
  const attack = await loadAttack(name)
  process.stderr.write(`${name}: ${attack.title}\n`)
  rows.push(...(await undergo(name, attack)))
}
const header = ['ATTACK', '', 'ASKED', 'P50 ms', 'P99 ms', 'MAX ms', 'ERRORS', 'LINES', 'MEMORY']
process.stdout.write(table(header, rows))
for (const fault of faults) process.stderr.write(`WRONG: ${fault}\n`)
process.exitCode = faults.length === 0 ? 0 : 1

async function undergo(name: string, attack: Attack): Promise<string[][]> {
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-attack-'))
  const file = (base: string): string => join(directory, base)
  const names = ['good', ...Object.keys(attack.encoders ?? {})]
  const keys = Object.fromEntries(names.map((encoder) => [encoder, generateKey()]))
  const sides: ChildProcess[] = []
  const side = async (order: Order): Promise<ChildProcess> => {
    const child = fork(here('side.js'))
    sides.push(child)
    await once(child, 'message')
    child.send(order)
    return child
  }
  const cluster = await side({ name })
  const [clusterUrl] = (await once(cluster, 'message')) as [string]
  const places = {
    ...{ config: file('config.json'), log: file('access.log'), admin: file('admin.sock') },
    ...{ directory, clusterUrl },
  }
  writeFileSync(file('cert.pem'), certificate.cert)
  writeFileSync(file('key.pem'), certificate.key, { mode: 0o600 })
  writeFileSync(places.config, JSON.stringify(settingsFor(attack, places, keys)), { mode: 0o640 })
  const daemon = await startDaemon(places, (line) =>
    faults.push(`${name}: the daemon says ${line}`),
  )
  const encoder = new WellBehaved(daemon.url.origin, `Bearer ${keys.good ?? ''}`)

  const quiet = await encoder.work(quietMs)
  const quietBytes = daemon.rssBytes()
  const target = { url: daemon.url.origin, port: Number(daemon.url.port), keys }
  const attackers = await side({ name, target })
  await setTimeout(biteMs)
  const attacked = await encoder.work(attackedMs)
  const attackedBytes = daemon.rssBytes()
  attackers.kill('SIGKILL')
  await encoder.close()
  const { code } = await daemon.stop()
  for (const child of sides) child.kill('SIGKILL')

  if (code !== 0) faults.push(`${name}: the daemon ended with ${String(code)}`)
  const log = readFileSync(places.log, 'latin1')
  const logged = new Set([...log.matchAll(/"id":"([0-9a-f-]{36})"/g)].map(([, id]) => id))
  rmSync(directory, { recursive: true })
  return [
    row(name, 'quiet', quiet, logged, quietBytes),
    row(name, 'attacked', attacked, logged, attackedBytes),
  ]
}

function settingsFor(
  { settings, encoders, tls }: Attack,
  places: Readonly<Record<'directory' | 'log' | 'admin' | 'clusterUrl', string>>,
  keys: Readonly<Record<string, string>>,
): object {
  const plenty = { max: 1_000_000, windowSeconds: 60 }
  const frame: Record<string, object> = {
    listen: { port: 0, ...(tls === true && { tls: { certFile: 'cert.pem', keyFile: 'key.pem' } }) },
    admin: { socket: places.admin },
    cluster: { endpoints: [{ url: places.clusterUrl }] },
    log: { file: places.log },
    limits: { reads: plenty, writes: plenty },
    ledger: { directory: places.directory },
  }
  for (const [section, fields] of Object.entries(settings ?? {}))
    frame[section] = { ...frame[section], ...fields }
  const entries = Object.entries(keys).map(([name, key]): [string, object] => [
    name,
    { ...encoders?.[name], keys: [{ id: 'k1', sha256: digestOf(key) }] },
  ])
  return { ...frame, encoders: Object.fromEntries(entries) }
}

function row(
  name: string,
  part: string,
  experience: Experience,
  logged: ReadonlySet<string | undefined>,
  bytes: number,
): string[] {
  const { asked, errors, ids } = experience
  const lines = ids.filter((id) => logged.has(id)).length
  if (errors.length > 0)
    faults.push(`${name} ${part}: ${errors.length} errors, such as ${errors[0] ?? ''}`)
  if (lines < ids.length)
    faults.push(`${name} ${part}: ${lines} of ${ids.length} requests have a line`)
  const ms = [0.5, 0.99, 1].map((share) => experience.quantileMs(share).toFixed(1))
  const memory = `${Math.round(bytes / 1e6)} MB`
  return [name, part, String(asked), ...ms, String(errors.length), `${lines}/${ids.length}`, memory]
}
