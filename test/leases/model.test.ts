/**
 * A model of who holds what, beside the real gate and cluster: thousands of random steps, and after
 * each the promise is looked at. `LEASE_SEED=n` brings a run back, `LEASE_STEPS=n` makes it longer.
 */
import t from 'tap'
import { readLease } from '../../src/leases/lease.js'
import { Upkeep } from '../../src/ledger/upkeep.js'
import { leaseIdOf } from '../../src/settings/keyring/lease-id.js'
import { type FakeCluster, generatedCid, type Pin } from '../support/fake-cluster/index.js'
import { startGate, type TestGate } from '../support/start-gate.js'

const seed = Number(process.env.LEASE_SEED ?? Date.now() % 1_000_000_007)
const steps = Number(process.env.LEASE_STEPS ?? 1500)
t.comment(`LEASE_SEED=${seed} LEASE_STEPS=${steps}`)

const encoders = ['alpha', 'beta', 'gamma', 'delta']
const cids = Array.from({ length: 6 }, (_, index) => generatedCid(index))

/** Mulberry32: small, and the same everywhere. */
function chanceFrom(start: number) {
  let state = start
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    below: (bound: number) => Math.floor(next() * bound),
    of: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T,
    is: (probability: number) => next() < probability,
  }
}

type Chance = ReturnType<typeof chanceFrom>

/** CID → encoder → until when it holds it, by what it was told. */
type Holds = Map<string, Map<string, number>>

/** The one promise. */
function broken(cluster: FakeCluster, holds: Holds, now: number): string | undefined {
  for (const [cid, held] of holds)
    for (const [encoder, untilMs] of held) {
      if (untilMs <= now) continue
      const pin = cluster.pins.get(cid)
      if (pin === undefined) return `${cid}: ${encoder} holds it, and it is gone`
      const expiresMs = pin.expireAt.startsWith('0001') ? Infinity : Date.parse(pin.expireAt)
      if (expiresMs < untilMs) return `${cid}: expires before ${encoder}'s lease ends`
      if (!leasesIn(pin.metadata).includes(leaseIdOf(encoder)))
        return `${cid}: ${encoder}'s lease is not in the record`
    }
  return undefined
}

/** Reads that lag: the next so many answers show a record as it was some writes ago. */
class LaggingReads {
  private readonly past = new Map<string, string[]>()

  constructor(private readonly gate: TestGate) {}

  async remember(cid: string): Promise<void> {
    const text = await (await fetch(`${this.gate.cluster.url}/allocations/${cid}`)).text()
    const past = this.past.get(cid) ?? []
    past.push(text)
    this.past.set(cid, past.slice(-3))
  }

  /** Only what this gate itself wrote last may be hidden: it is what it knows. */
  lag(chance: Chance, cid: string): void {
    const past = this.past.get(cid)
    if (past === undefined) return
    const body = chance.of(past)
    const status = body.includes('"code":404') ? 404 : 200
    const headers = { 'Content-Type': 'application/json' }
    this.gate.cluster.behave(
      { path: `/allocations/${cid}` },
      { kind: 'status', status, body, headers },
      1,
    )
  }

  forget(): void {
    this.past.clear()
  }
}

for (const [title, graceSeconds] of [
  ['at once', 0],
  ['after a grace', 3000],
] as const)
  t.test(`nobody loses what he holds; pins go ${title}`, { timeout: 60_000 }, async (t) => {
    const chance = chanceFrom(seed + graceSeconds)
    const realNow = Date.now
    let aheadMs = 0
    Date.now = () => realNow() + aheadMs
    t.teardown(() => (Date.now = realNow))
    const gate = await startGate(t, {
      enforcement: 'enforce',
      unpin: { graceSeconds },
      encoders: Object.fromEntries(encoders.map((name) => [name, {}])),
    })
    const { cluster } = gate
    const holds: Holds = new Map(cids.map((cid) => [cid, new Map<string, number>()]))
    const reads = new LaggingReads(gate)
    const upkeep = new Upkeep(gate.ledger.changes)
    const counts = new Map<string, number>()
    const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
    const story: string[] = []

    for (let step = 0; step < steps; step++) {
      const what = chance.below(100)
      // What can be restored is rare: it is looked for.
      const letGo = what < 88 ? [] : [...cluster.pins.values()].filter(isLetGo)
      const { cid } = letGo.length > 0 && what < 90 ? chance.of(letGo) : { cid: chance.of(cids) }
      const as = chance.of(encoders)
      const held = holds.get(cid) ?? new Map<string, number>()
      const lost = chance.is(0.06)
      if (chance.is(0.15)) reads.lag(chance, cid)
      if (lost)
        cluster.behave(
          { method: chance.of(['POST', 'DELETE']), path: `/pins/${cid}` },
          { kind: chance.of(['reset', 'lose-answer', 'lose-answer'] as const) },
          1,
        )
      cluster.statusOfNewPins = chance.is(0.8) ? 'pinned' : 'pinning'
      if (what < 45) {
        const seconds = chance.of([Infinity, 30, 300, 3000])
        const expiry = seconds === Infinity ? '' : `?expire-in=${seconds}s`
        const name = chance.is(0.3) ? `${expiry === '' ? '?' : '&'}name=n${step}` : ''
        const untilMs = Date.now() + seconds * 1000
        const { status } = await gate.ask('POST', `/pins/${cid}${expiry}${name}`, { as })
        story.push(`${step} POST ${cids.indexOf(cid)} ${as} ${seconds}s: ${status}`)
        // An answer that was lost promises nothing, and takes nothing away.
        if (status === 200) held.set(as, untilMs)
        else held.set(as, Math.min(untilMs, held.get(as) ?? -Infinity))
        count(`POST ${status}`)
      } else if (what < 85) {
        const { status } = await gate.ask('DELETE', `/pins/${cid}`, { as })
        story.push(`${step} DELETE ${cids.indexOf(cid)} ${as}: ${status}`)
        // Asked for and perhaps done: nothing is promised any more.
        if (status !== 403) held.delete(as)
        const until = held.get(as) ?? -Infinity
        if (status === 403) t.ok(until <= Date.now(), `${as} was refused what it holds`)
        count(`DELETE ${status}`)
      } else if (what < 90) {
        const holder = leaseIdOf(as)
        const act =
          what < 88 ? upkeep.adopt(cid, { holder, retentionMs: Infinity }) : upkeep.restore(cid)
        const outcome = await act.catch(() => 'lost')
        story.push(`${step} ${cids.indexOf(cid)} ${as}: ${outcome}`)
        // Whoever has a lease by it was given a promise; `lost` promises nothing.
        if (outcome === 'adopted' || outcome === 'restored')
          for (const [key, value] of cluster.pins.get(cid)?.metadata ?? []) {
            const lease = readLease(key, value)?.lease
            const name = encoders.find((encoder) => leaseIdOf(encoder) === lease?.holder)
            if (lease !== undefined && name !== undefined) held.set(name, lease.untilMs)
          }
        count(outcome)
      } else if (what < 96) {
        aheadMs += chance.of([1000, 20_000, 200_000, 400_000])
        // It writes as well: what it took away was seen by all.
        reads.forget()
        if (chance.is(0.8)) cluster.sweep()
        story.push(`${step} time goes on to ${new Date(Date.now()).toISOString()}`)
        count('time')
      } else {
        // By hand, beside the gate, long after it wrote: it must not rely on what it remembers.
        aheadMs += 301_000
        reads.forget()
        if (!cluster.pins.has(cid)) cluster.addPin(cid, { name: 'by hand' })
        count('by hand')
      }
      cluster.reset()
      await reads.remember(cid)
      const fault = broken(cluster, holds, Date.now())
      if (fault !== undefined) {
        t.fail(`LEASE_SEED=${seed}, step ${step}: ${fault}`, { story: story.slice(-25) })
        return
      }
    }
    t.pass(`${steps} steps: ${JSON.stringify(Object.fromEntries([...counts].sort()))}`)
    for (const seen of [
      'POST 200',
      'POST 502',
      'DELETE 200',
      'DELETE 403',
      'DELETE 404',
      'adopted',
    ])
      t.ok(counts.has(seen), `${seen} was among them`)
    for (const cid of cids)
      for (const as of encoders) await gate.ask('DELETE', `/pins/${cid}`, { as })
    const leases = [...cluster.pins.values()].flatMap((pin) => leasesIn(pin.metadata))
    t.same(
      leases.filter((holder) => holder !== 'operator'),
      [],
      'when all have let go, nobody holds anything',
    )
  })

const isLetGo = ({ metadata }: Pin): boolean =>
  leasesIn(metadata).length === 0 &&
  [...(metadata?.keys() ?? [])].some((key) => key.startsWith('pinwarden.former.'))

const leasesIn = (metadata: ReadonlyMap<string, string> | null): string[] =>
  [...(metadata?.keys() ?? [])]
    .filter((key) => key.startsWith('pinwarden.lease.'))
    .map((key) => key.slice('pinwarden.lease.'.length))
