/**
 * Three encoders on sixty CIDs that they share, while gate, cluster and both are killed at random.
 * After each kill the cluster has to have what encoders were promised, except for what
 * docs/ledger.md says that a crash of both can cost. `KILLS_MINUTES`: ten when absent.
 */
import t from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { cidsFrom, type Host, startHost } from './host.js'
import { type Broken, costMs, isAtCost, Promises } from './promises.js'
import { must, scenario } from './scenario.js'

const minutes = Number(process.env.KILLS_MINUTES ?? '10')
t.setTimeout((minutes + 5) * 60_000)

/** So long the ledger gets to repair: beyond it a lease counts as lost. */
const patienceMs = 60_000

const events = ['gate', 'cluster', 'both', 'gate, then cluster', 'cluster, then gate'] as const

/** @returns when the gate ended */
async function kill({ gate, peers }: Host, what: (typeof events)[number]): Promise<number> {
  const killed = async (one: { kill(): Promise<void> }) => {
    await one.kill()
    return performance.now()
  }
  switch (what) {
    case 'gate':
      return killed(gate)
    case 'cluster':
      await peers[0].kill()
      return Infinity
    case 'both': {
      const [atMs] = await Promise.all([killed(gate), peers[0].kill()])
      return atMs
    }
    case 'gate, then cluster': {
      const atMs = await killed(gate)
      await delay(Math.random() * 300)
      await peers[0].kill()
      return atMs
    }
    case 'cluster, then gate':
      await peers[0].kill()
      await delay(Math.random() * 300)
      return killed(gate)
  }
}

async function startAgain({ gate, peers }: Host, what: (typeof events)[number]): Promise<void> {
  const starts = [
    ...(what === 'cluster' ? [] : [() => gate.start()]),
    ...(what === 'gate' ? [] : [() => peers[0].comeBack()]),
  ]
  await delay(Math.random() * 1500)
  if (Math.random() < 0.5) starts.reverse()
  for (const start of starts) await start()
}

await scenario(
  t,
  `kills of gate, cluster and both for ${minutes} minutes`,
  (minutes + 4) * 60,
  async () => {
    const host = await startHost(t)
    const promises = new Promises(host, cidsFrom(0, 60))
    const counts = new Map<string, { kills: number; lost: number; atCost: number }>()
    const lost: string[] = []
    let leases = 0
    for (const end = performance.now() + minutes * 60_000; performance.now() < end;) {
      promises.start()
      await delay(1000 + Math.random() * 4000)
      const what = events[Math.floor(Math.random() * events.length)] ?? 'both'
      const endedMs = await kill(host, what)
      await startAgain(host, what)
      await delay(Math.random() * 2000)
      await promises.pause()
      const isCost = (one: Broken) =>
        what !== 'gate' && what !== 'cluster' && isAtCost(one, endedMs)
      const broken = await promises.settled(patienceMs, isCost)
      leases += promises.held
      const atCost = broken.filter(isCost).length
      const count = counts.get(what) ?? { kills: 0, lost: 0, atCost: 0 }
      const beyond = broken.filter((one) => !isCost(one))
      counts.set(what, {
        kills: count.kills + 1,
        lost: count.lost + beyond.length,
        atCost: count.atCost + atCost,
      })
      for (const { is, encoder, cid, status, atMs } of beyond) {
        const beforeMs = Math.round(endedMs - atMs)
        lost.push(`${what}: ${is}: ${encoder} ${cid} ${status}, ${beforeMs} ms before the end`)
      }
    }
    for (const line of lost) process.stderr.write(`  ${line}\n`)
    const answers = [...promises.answers].sort().map(([name, count]) => `${name}: ${count}`)
    process.stderr.write(`  answers: ${answers.join(', ')}\n`)
    const table = [...counts].map(
      ([what, { kills, lost, atCost }]) =>
        `${what}: ${kills} kills, ${lost} lost, ${atCost} within the ${costMs} ms of the table`,
    )
    must(lost.length === 0, `${lost.length} leases beyond the table; ${table.join('; ')}`)
    return `${leases} leases looked at; ${table.join('; ')}`
  },
)
