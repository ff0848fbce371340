/**
 * `npm run soak`: a million mixed requests, among them faults of the cluster and bad clients.
 * The real daemon; every answer is judged, logged once, and leaves neither memory nor descriptors.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Caller } from './callers.js'
import { SeededRng } from './seeded-rng.js'
import { startCluster } from './cluster.js'
import { startDaemon } from './daemon.js'
import { Expectations } from './expectations.js'
import { Judge } from './judge.js'
import { Ledger } from './ledger.js'
import { LogCheck } from './log-check.js'
import { Operator } from './operator.js'
import { readOptions } from './options.js'
import { type Places, writeSettings } from './settings.js'
import { TroubleHistory } from './troubles.js'
import { ResourceSamples } from './resource-samples.js'

const callersAtOnce = 32
/** Memory takes so many requests to come to its level; of a short run, half must do. */
const warmUp = { share: 0.1, requests: 50_000, shareMax: 0.5 }
const descriptorsMore = 3
const stopMs = 5000

const { requests, minutes, seed, troubles } = readOptions(process.argv.slice(2))
process.stdout.write(
  `${requests} requests in up to ${minutes} minutes; again: ` +
    `npm run soak -- --requests ${requests} --minutes ${minutes} --seed ${seed}\n`,
)

const directory = mkdtempSync(join(tmpdir(), 'pinwarden-soak-'))
process.once('exit', () => {
  rmSync(directory, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1))
}
const cluster = await startCluster()
process.once('exit', () => {
  cluster.kill()
})
const places: Places = {
  config: join(directory, 'config.json'),
  log: join(directory, 'access.log'),
  admin: join(directory, 'admin.sock'),
  directory,
  clusterUrl: cluster.url,
}
writeSettings(places, false)
const ledger = new Ledger()
const daemon = await startDaemon(places, (line) => {
  ledger.wrong(`the daemon says: ${line}`)
})

const startMs = performance.now()
const rng = new SeededRng(seed)
const history = new TroubleHistory()
const judge = new Judge(ledger, history)
const expectations = new Expectations()
const logCheck = new LogCheck(ledger, history)
const progress = () =>
  Math.max(ledger.asked / requests, (performance.now() - startMs) / (minutes * 60_000))
const resources = new ResourceSamples(daemon, ledger, progress)
const calling = { url: daemon.url, ledger, judge, expectations }
const callers = Array.from({ length: callersAtOnce }, () => new Caller(calling, rng.branch()))
const operator = new Operator({
  ...{ places, daemon, cluster, rng: rng.branch() },
  ...{ ledger, judge, history, expectations, logCheck, troubles },
})

const { share, shareMax } = warmUp
await load(Math.min(shareMax, Math.max(share, warmUp.requests / requests)), false)
const before = await idle()
await load(1, true)
const after = await idle()
await verdict()

/** Everything at once, until so much of the run is done. */
async function load(until: number, isWarm: boolean): Promise<void> {
  const over = new AbortController()
  const beside = [operator.work(over.signal), resources.watch(isWarm, over.signal)]
  await Promise.all(callers.map((caller) => caller.run(() => progress() >= until)))
  over.abort()
  await Promise.all(beside)
}

interface Idle {
  readonly descriptors: number
  readonly inFlight: number
}

/** Without requests, and with the connections to the cluster closed: the resident rest. */
async function idle(): Promise<Idle> {
  await cluster.tell({ kind: 'hang-up' })
  // Kept listings are forgotten, writes that outlive their clients end.
  await setTimeout(4000)
  let descriptors = Infinity
  for (let turn = 0; turn < 20; turn++) {
    descriptors = Math.min(descriptors, daemon.descriptors())
    await setTimeout(100)
  }
  const metrics = await daemon.metrics()
  return { descriptors, inFlight: metrics.sum('pinwarden_requests_in_flight') }
}

async function verdict(): Promise<void> {
  const metrics = await daemon.metrics()
  const counted = metrics.sum('pinwarden_requests_total')
  const dropped = metrics.sum('pinwarden_log_lines_dropped_total')
  const bugs = metrics.sum('pinwarden_bugs_total')
  const { code, ms } = await daemon.stop()
  await logCheck.finish(places.log)
  const { lines, outcomes, reasons, unclaimedCount } = logCheck
  const growth = resources.growth()

  must(before.inFlight === 0 && after.inFlight === 0, 'no request is in flight at idle', after)
  must(dropped === 0, 'no log line is dropped', { dropped })
  must(bugs === 0, 'no request met a bug', { bugs })
  must(counted === lines, 'the metrics count what the log has', { counted, lines })
  must(code === 0 && ms < stopMs, 'SIGTERM ends the daemon with 0, and soon', { code, ms })
  must(
    after.descriptors <= before.descriptors + descriptorsMore,
    'descriptors at idle are what they were after the warm-up',
    { before: before.descriptors, after: after.descriptors },
  )
  must(growth.isFlat, 'memory is flat', growth)

  process.stdout.write(`\n${resources.print()}\n`)
  process.stdout.write(
    [
      `${lines} log lines in ${operator.reopenings + 1} files, ${unclaimedCount} of them of ` +
        `requests whose clients left (${ledger.unseen} did)`,
      `outcomes: ${inWords(outcomes)}`,
      `reasons: ${inWords(reasons)}`,
      `${operator.reloads} reloads, ${operator.reopenings} times the log was opened anew`,
      `memory: ${growth.text}`,
      `descriptors at idle: ${before.descriptors} after the warm-up, ${after.descriptors} now`,
      `the daemon ended with ${String(code)} in ${ms} ms`,
      '',
    ].join('\n'),
  )
  for (const wrong of ledger.named) process.stderr.write(`WRONG: ${wrong}\n`)
  const isGood = ledger.wrongs === 0
  process.stdout.write(
    isGood ? 'good: nothing was wrong\n' : `BAD: ${ledger.wrongs} things were wrong\n`,
  )
  process.exit(isGood ? 0 : 1)
}

function must(isSo: boolean, what: string, found: object): void {
  if (!isSo) ledger.wrong(`it is not so that ${what}: ${JSON.stringify(found)}`)
}

function inWords(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${word} ${count}`)
    .join(', ')
}
