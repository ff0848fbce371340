/**
 * `npm run drill`: a cluster of three peers that fail in every way, one and all, under a load whose
 * every answer is judged; and a gate that is killed in the middle of an outage of 10,000 pins. Real
 * daemon, real sockets, real disk.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { table } from '../../src/cli/text-table.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { PinState } from '../support/fake-cluster/index.js'
import { type Asked, PinLoad, type Right } from './pin-load.js'
import { Peer } from './peer.js'
import { startServed } from './served.js'

const stepMs = 4000
const outages = 4
const outagePins = 10_000

const directory = mkdtempSync(join(tmpdir(), 'pinwarden-drill-'))
const file = (name: string): string => join(directory, name)
const key = generateKey()
const pins = new PinState()
const peers = await Promise.all([1, 2, 3].map(() => Peer.start(pins)))
const [one, two, three] = peers as [Peer, Peer, Peer]

const plenty = { max: 1_000_000, windowSeconds: 60 }
writeFileSync(
  file('config.json'),
  JSON.stringify({
    listen: { port: 0 },
    log: { file: 'access.log' },
    cluster: {
      endpoints: peers.map(({ url }) => ({ url })),
      health: { intervalMs: 1000, timeoutMs: 500 },
      writeTimeoutMs: 5000,
    },
    limits: { reads: plenty, writes: plenty, inFlight: 1000 },
    onOutage: 'journal',
    journal: { directory: 'journal', perSecondMax: 10_000 },
    encoders: { drill: { keys: [{ id: 'k1', sha256: digestOf(key) }] } },
  }),
  { mode: 0o640 },
)
const emptied = 'emptied the journal: every pin was replayed or dropped'
const serve = () => startServed(file('config.json'), file('access.log'))

let served = await serve()
/** A pin with an unknown outcome goes into the queue. */
const fine: Right = { read: [200], pin: [200, 202] }
const away: Right = { read: [200, 502, 503, 504], pin: [202] }
const returning: Right = { read: away.read, pin: fine.pin }
const load = new PinLoad(served.url, `Bearer ${key}`, fine, 0)
load.start(6, 6, 5)

interface Step {
  readonly name: string
  readonly asked: readonly Asked[]
}
const steps: Step[] = []
const faults: string[] = []

async function step(name: string, course: () => Promise<unknown>): Promise<void> {
  const from = load.asked.length
  await course()
  steps.push({ name, asked: load.asked.slice(from) })
}

/** So long like this, and as long again when it is over. */
async function during(fail: () => (() => unknown) | Promise<() => unknown>): Promise<void> {
  const undo = await fail()
  await setTimeout(stepMs)
  await undo()
  await setTimeout(stepMs)
}

const killed = async (peer: Peer) => {
  await peer.kill()
  return () => peer.comeBack()
}

await step('a healthy set', () => setTimeout(stepMs))
await step('one killed: the one that is written to', () => during(() => killed(one)))
await step('another one killed', () => during(() => killed(two)))
for (const peer of peers) await step(`${nameOf(peer)} hangs`, () => during(() => peer.hang()))
await step('one is slow', () => during(() => one.slow(300)))
for (const peer of [one, two]) {
  await step(`${nameOf(peer)} takes requests and hangs up`, () => during(() => peer.cut()))
  await step(`${nameOf(peer)} answers nonsense`, () => during(() => peer.babble()))
}
await step('one flaps', async () => {
  for (let count = 0; count < 6; count++) {
    await three.kill()
    await setTimeout(400)
    await three.comeBack()
    await setTimeout(900)
  }
})

const refusals: number[] = []
const recoveriesMs: number[] = []
const allKilled = async (extraMs: number) => {
  load.expect(away)
  await Promise.all(peers.map((peer) => peer.kill()))
  await setTimeout(2000 + extraMs)
  const from = load.asked.length
  await setTimeout(stepMs)
  for (const { kind, status, durationMs } of load.asked.slice(from))
    if (kind === 'read' && status === 503) refusals.push(durationMs)
  load.expect(returning)
  await Promise.all(peers.map((peer) => peer.comeBack()))
  const back = performance.now()
  await setTimeout(stepMs)
  const answered = load.asked.find(
    ({ kind, status, atMs, durationMs }) =>
      kind === 'pin' && status === 200 && atMs - durationMs > back,
  )
  if (answered === undefined) faults.push('no pin was answered 200 after an outage')
  else recoveriesMs.push(answered.atMs - back)
  load.expect(fine)
}
for (let count = 1; count <= outages; count++)
  // A check is made every second: so that they do not all come back as one is made.
  await step(`all three killed, ${count} of ${outages}`, () => allKilled((count * 1000) / outages))
await step('and all is well again', () => setTimeout(stepMs))
await load.stop()
const accepted = [...load.accepted]

// An outage of 10,000 pins, with the gate killed in its middle.
await Promise.all(peers.map((peer) => peer.kill()))
let next = load.next
const outage: Asked[] = []
let kills = 0
const queued: string[] = []
const outageStartMs = performance.now()
while (queued.length < outagePins) {
  const part = new PinLoad(served.url, `Bearer ${key}`, away, next)
  part.start(32, 0, 0)
  const goal = kills === 0 ? outagePins / 2 : outagePins - queued.length
  while (part.accepted.length < goal) await setTimeout(5)
  // No client has an answer to the requests in flight.
  if (kills++ === 0) served.kill('SIGKILL')
  await part.stop()
  queued.push(...part.accepted)
  outage.push(...part.asked.filter(({ status }) => status !== 0))
  next = part.next
  if (kills === 1) served = await serve()
}
const acceptMs = performance.now() - outageStartMs
steps.push({ name: `an outage of ${queued.length} pins, the gate killed`, asked: outage })
const made = served.next('replayed a pin of the journal')
const empty = served.next(emptied, 300_000)
await Promise.all(peers.map((peer) => peer.comeBack()))
await made
const replayStartMs = performance.now()
await empty
const replayMs = performance.now() - replayStartMs
const exitCode = await served.stop()

const all = { name: 'all', asked: steps.flatMap(({ asked }) => asked) }
const lost = [...accepted, ...queued].filter((cid) => !pins.has(cid)).length
const unanswered = all.asked.filter(({ status }) => status === 0).length
const wrong = all.asked.filter((asked) => asked.wrong !== undefined)
const refuseMs = quantile(refusals, 0.99)

process.stdout.write(
  table(
    ['STEP', 'PINS', 'READS', 'WRONG', 'P50 ms', 'P99 ms', 'MAX ms'],
    [...steps, all].map(rowOf),
  ),
)
const figures = [
  ['requests without an answer', String(unanswered)],
  ['wrong answers', String(wrong.length - unanswered)],
  ['accepted pins that are lost', `${lost} of ${accepted.length + queued.length}`],
  [
    'time to refuse, with no peer available',
    `${refuseMs.toFixed(1)} ms in 99 of 100, ${refusals.length} asked`,
  ],
  [
    'time to recover',
    `${recoveriesMs.map((ms) => (ms / 1000).toFixed(2)).join(', ')} s until a pin is answered 200`,
  ],
  ['accepting in an outage', `${perSecond(queued.length, acceptMs)}, one kill -9 included`],
  ['replay', `${perSecond(queued.length, replayMs)}, ${(replayMs / 1000).toFixed(1)} s in all`],
]
process.stdout.write(`\n${table(['FIGURE', 'VALUE'], figures)}`)

if (lost > 0) faults.push(`${lost} accepted pins are not there`)
if (refusals.length === 0 || refuseMs > 50) faults.push(`refusing takes ${refuseMs} ms`)
if (exitCode !== 0) faults.push(`the daemon ended with ${String(exitCode)}`)
for (const asked of wrong.slice(0, 20)) faults.push(asked.wrong ?? '')
for (const fault of faults) process.stderr.write(`WRONG: ${fault}\n`)
process.exitCode = faults.length === 0 ? 0 : 1
await Promise.all(peers.map((peer) => peer.kill()))
rmSync(directory, { recursive: true })

function nameOf(peer: Peer): string {
  return ['the first', 'the second', 'the third'][peers.indexOf(peer)] ?? ''
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) * part)] ?? NaN
}

function perSecond(count: number, ms: number): string {
  return `${Math.round((count / ms) * 1000)} pins a second`
}

function rowOf({ name, asked }: Step): string[] {
  const times = asked.map(({ durationMs }) => durationMs)
  const count = (kind: Asked['kind']) => asked.filter((one) => one.kind === kind).length
  const bad = asked.filter((one) => one.wrong !== undefined).length
  const shown = [0.5, 0.99, 1].map((part) => quantile(times, part).toFixed(1))
  return [name, String(count('pin')), String(count('read')), String(bad), ...shown]
}
