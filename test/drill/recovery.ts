/**
 * The second half of `npm run drill:ops`: each way of docs/recovery.md with the real daemon, real
 * files and real commands. After each one the cluster has to have what the page says that it keeps.
 */
import { execFile } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { table } from '../../src/cli/text-table.js'
import { bin } from '../support/daemon.js'
import { generatedCid, PinState, startFakeCluster } from '../support/fake-cluster/index.js'
import { type Served, startServed } from './served.js'

const directory = mkdtempSync(join(tmpdir(), 'pinwarden-recovery-'))
const pins = new PinState()
const cluster = await startFakeCluster({ pins })
const faults: string[] = []
const rows: string[][] = []
let host = join(directory, 'host')
let credential = ''
const file = (name: string): string => join(host, name)

async function pinwarden(...args: string[]): Promise<string> {
  const all = [bin, ...args, '--config', file('config.json')]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, all)
  return stdout + stderr
}
const serve = () => startServed(file('config.json'), file('access.log'))

function settings(): object {
  return {
    listen: { port: 0 },
    log: { file: 'access.log' },
    control: { socket: file('control.sock') },
    ledger: { directory: 'state' },
    cluster: { endpoints: [{ url: cluster.url }], health: { intervalMs: 1000 } },
    enforcement: 'enforce',
    onOutage: 'journal',
    limits: { writes: { max: 1_000_000, windowSeconds: 60 } },
  }
}

async function ask(method: string, cid: string, as = credential): Promise<number> {
  const headers = { authorization: `Basic ${Buffer.from(as).toString('base64')}` }
  return (await fetch(`${served.url}/pins/${cid}`, { method, headers })).status
}

async function askAll(method: string, cids: readonly string[]): Promise<void> {
  for (const cid of cids) must((await ask(method, cid)) === 200, `${method} ${cid} is answered 200`)
}

const cidsFrom = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => generatedCid(first + index))
const there = (cids: readonly string[]): number => cids.filter((cid) => pins.has(cid)).length
/** NAME:KEY of what `init` and `keys add` print. */
const credentialIn = (text: string): string => /\/\/([^@\n]+:pw_\w+)@/.exec(text)?.[1] ?? ''

function must(isSo: boolean, what: string): void {
  if (!isSo) faults.push(what)
}

/** Does one way of the page, and says how many of the pins stay. */
async function way(name: string, owed: readonly string[], act: () => Promise<string>) {
  const startMs = performance.now()
  const seen = await act().catch((error: unknown) => {
    faults.push(`${name}: ${String(error)}`)
    return 'it broke off'
  })
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  must(there(owed) === owed.length, `${name}: ${there(owed)} of ${owed.length} pins are there`)
  rows.push([name, `${there(owed)} of ${owed.length}`, seconds, seen])
}

const verified = 'verified recent writes'
const changedOutside =
  'found pins that were changed outside the gate; an operator has to decide on them'
const ledgerFiles = () => readdirSync(file('state')).filter((name) => name.startsWith('ledger.db'))

mkdirSync(host)
writeFileSync(file('config.json'), JSON.stringify(settings()), { mode: 0o640 })
credential = credentialIn(await pinwarden('keys', 'add', 'alpha'))
let served: Served = await serve()
const first = cidsFrom(0, 60)
await askAll('POST', first)

await way('upgrade: stopped and started again', first, async () => {
  await served.stop()
  served = await serve()
  await served.next(verified)
  return 'nothing is lost'
})

await way('downgrade: the queue is empty before', first, async () => {
  await cluster.close()
  must((await ask('POST', generatedCid(900))) === 202, 'a pin while the cluster is away: 202')
  must((await pinwarden('journal', 'list')).includes(generatedCid(900)), 'it waits')
  const emptied = served.next('emptied the journal: every pin was replayed or dropped', 30_000)
  const again = await startFakeCluster({ pins, port: Number(new URL(cluster.url).port) })
  Object.assign(cluster, { close: () => again.close() })
  await emptied
  must(pins.has(generatedCid(900)), 'it is made')
  return 'it waits until `journal list` is empty'
})

await way('the state of the cluster is lost', first, async () => {
  await served.stop()
  pins.clear()
  served = await serve()
  await setTimeout(3000)
  const plan = join(directory, 'missing.txt')
  const alone = there(first)
  await pinwarden('pins', 'plan', '--missing', '--out', plan)
  await pinwarden('pins', 'apply', plan, '--rate', '500')
  return `${alone} by the gate itself, the rest by pins plan --missing`
})

const backup = join(directory, 'ledger.backup')
const [later, unpinned] = [cidsFrom(100, 10), first.slice(0, 5)]
const owed = [...first.slice(5), ...later]
await way('the ledger is restored from a backup', owed, async () => {
  await pinwarden('ledger', 'backup', backup)
  await askAll('POST', later)
  await askAll('DELETE', unpinned)
  await served.stop()
  for (const name of ledgerFiles()) renameSync(file(`state/${name}`), join(directory, name))
  copyFileSync(backup, file('state/ledger.db'))
  served = await serve()
  must((await pinwarden('ledger', 'check')).includes('copy      yes'), 'it is known to be a copy')
  await served.stop()
  must((await pinwarden('ledger', 'trust')).includes('is now trusted'), 'it is trusted')
  served = await serve()
  await setTimeout(3000)
  return `${there(unpinned)} of 5 that were unpinned since the backup came back`
})

await way('the ledger is lost', owed, async () => {
  await served.stop()
  rmSync(file('state'), { recursive: true })
  served = await serve()
  await served.next('counted leases', 60_000)
  must((await ask('DELETE', owed[0] ?? '')) === 200, 'the owner can unpin')
  must((await ask('POST', owed[0] ?? '')) === 200, 'and pin again')
  return 'leases are read from the cluster'
})

await way('the configuration is lost', owed, async () => {
  const before = credential
  await served.stop()
  rmSync(file('config.json'))
  const made = await pinwarden(
    ...['init', '--encoder', 'alpha', '--host', '127.0.0.1', '--port', '0'],
    ...['--cluster', cluster.url, '--ledger', file('state'), '--plain-http'],
  )
  credential = credentialIn(made)
  const kept = JSON.parse(readFileSync(file('config.json'), 'utf8')) as { encoders: object }
  const whole = { ...settings(), ...{ encoders: kept.encoders } }
  writeFileSync(file('config.json'), JSON.stringify(whole), { mode: 0o640 })
  served = await serve()
  must((await ask('POST', owed[0] ?? '', before)) === 401, 'the old key is refused')
  must((await ask('DELETE', owed[0] ?? '')) === 200, 'with the new key alpha has its leases')
  must((await ask('POST', owed[0] ?? '')) === 200, 'and pins again')
  return 'each encoder needs a new key'
})

await way('the cluster is restored from a backup', owed, async () => {
  const more = cidsFrom(200, 80)
  await askAll('POST', more)
  const goBack = pins.mark()
  await askAll('DELETE', more)
  await served.stop()
  goBack()
  served = await serve()
  const { unexpected } = (await served.next(changedOutside)) as { unexpected?: number }
  must(there(more) === more.length, 'no pin that came back is unpinned')
  return `${there(more)} of 80 that came back stay; ${unexpected ?? 0} are reported`
})

await way('the host is moved', owed, async () => {
  await served.stop()
  const moved = join(directory, 'moved')
  cpSync(host, moved, { recursive: true })
  rmSync(host, { recursive: true })
  host = moved
  writeFileSync(
    file('config.json'),
    JSON.stringify({
      ...(JSON.parse(readFileSync(file('config.json'), 'utf8')) as object),
      control: { socket: file('control.sock') },
    }),
  )
  served = await serve()
  await served.next(verified, 30_000)
  must((await ask('DELETE', owed[1] ?? '')) === 200, 'the owner can unpin')
  must((await ask('POST', owed[1] ?? '')) === 200, 'and pin again')
  return 'nothing is lost'
})

await way('unpins are undone by a restored state, with a copy of the ledger', owed, async () => {
  const undone = cidsFrom(300, 20)
  await askAll('POST', undone)
  const goBack = pins.mark()
  await askAll('DELETE', undone)
  await served.stop()
  const copy = file('state/copy')
  await pinwarden('ledger', 'backup', copy)
  for (const name of ledgerFiles()) rmSync(file(`state/${name}`))
  renameSync(copy, file('state/ledger.db'))
  await pinwarden('ledger', 'trust')
  goBack()
  served = await serve()
  await setTimeout(3000)
  must(there(undone) === undone.length, 'no pin that came back is unpinned')
  const plan = await pinwarden('pins', 'plan', '--unexpected', '--out', join(directory, 'back'))
  must(plan.includes('Plan again after'), 'the plan says that it is too early')
  return `${there(undone)} of 20 that came back stay`
})

await served.stop()
await cluster.close()
rmSync(directory, { recursive: true })
process.stdout.write(table(['WAY', 'PINS THERE', 'SECONDS', 'SEEN'], rows))
for (const fault of faults) process.stderr.write(`WRONG: ${fault}\n`)
process.exitCode = faults.length === 0 ? 0 : 1
