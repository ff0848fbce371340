/** What is done to a world: drawn in advance from a seed, so that any of it can be left out. */
import type { Finished } from '../../src/ledger/cluster-port.js'
import type { SeededRandom } from './seeded-random.js'
import type { ReadFault, WriteFault } from './simulated-cluster.js'
import type { PacketFault } from './simulated-store.js'

export type Action =
  | {
      readonly kind: 'pin'
      readonly encoder: number
      readonly cid: number
      /** Infinity: forever. */
      readonly spanMs: number
      readonly name?: string | undefined
      /** The cluster refuses it: `replication-min=2` with one peer. */
      readonly isRefused?: boolean
      /** `pin-update` */
      readonly source?: number | undefined
    }
  | { readonly kind: 'unpin'; readonly encoder: number; readonly cid: number }
  | { readonly kind: 'plan' | 'apply'; readonly encoder: number }
  | { readonly kind: 'gate-kill' }
  | { readonly kind: 'gate-stop' | 'gate-start' }
  | { readonly kind: 'cluster-kill' | 'power-cut'; readonly forgets: number }
  | { readonly kind: 'cluster-stop' | 'cluster-start' }
  | { readonly kind: 'write-fault'; readonly fault: WriteFault }
  | { readonly kind: 'read-fault'; readonly fault: ReadFault }
  | { readonly kind: 'freeze' | 'batching' | 'disk-slow'; readonly ms: number }
  | { readonly kind: 'kubo'; readonly status: Finished }
  | { readonly kind: 'disk-full' | 'disk-lost' | 'disk-copy' | 'disk-restore' }
  | { readonly kind: 'disk-heal' }
  | { readonly kind: 'clock'; readonly aheadMs: number }
  | { readonly kind: 'take-down'; readonly cid: number; readonly gate?: number }
  | { readonly kind: 'hand-remove' | 'hand-add'; readonly cid: number }
  | { readonly kind: 'export' | 'import' | 'wipe' }
  | { readonly kind: 'rotate-key' | 'rename'; readonly encoder: number }
  | { readonly kind: 'grace'; readonly seconds: number }
  | { readonly kind: 'packet-fault'; readonly fault: PacketFault }
  | { readonly kind: 'store-pause'; readonly ms: number }
  | { readonly kind: 'store-kill' | 'store-start' | 'store-refuse' | 'store-heal' }
  | { readonly kind: 'store-lose'; readonly share: number }

export type Command = Action & {
  readonly afterMs: number
  /** Which gate is asked, or is meant; the first when absent. */
  readonly gate?: number | undefined
}

/** Groups of faults, which can be switched on and off by name. */
export const faultNames = [
  'gate-kill',
  'gate-stop',
  'cluster-kill',
  'cluster-stop',
  'power-cut',
  'lost-answer',
  'late-write',
  'server-error',
  'rejection',
  'read-fault',
  'freeze',
  'batching',
  'kubo',
  'disk-full',
  'disk-slow',
  'disk-lost',
  'disk-restore',
  'clock',
  'hand',
  'backup',
  'keys',
  'grace',
  'plans',
  'take-down',
  'quota',
  'store-late',
  'store-away',
  'store-empty',
  'store-loses',
  'store-refuses',
] as const

/** Of what several gates share: one alone has none of it. */
export const storeFaults: ReadonlySet<FaultName> = new Set([
  ...(['store-late', 'store-away', 'store-empty', 'store-loses', 'store-refuses'] as const),
])

export type FaultName = (typeof faultNames)[number]

export interface Plan {
  readonly cids: number
  readonly encoders: number
  readonly gates: number
  readonly faults: ReadonlySet<FaultName>
  /** How often something is done in a row, without a pause. */
  readonly burstiness: number
}

const spansMs = [Infinity, Infinity, 30_000, 300_000, 3_000_000, 21_600_000] as const

/** Draws the commands of one episode after the other. */
export class Commands {
  /** By what was drawn: most unpins are of what may be pinned. */
  private readonly pinned: { readonly encoder: number; readonly cid: number }[] = []

  constructor(
    private readonly random: SeededRandom,
    private readonly plan: Plan,
  ) {}

  episode(count: number): Command[] {
    const commands: Command[] = []
    while (commands.length < count) {
      commands.push(...this.atGates(this.next()))
    }
    return commands
  }

  /** Each request goes to some gate; what happens to a gate, and its end, are of one. */
  private atGates(commands: readonly Command[]): readonly Command[] {
    const { random, plan } = this
    if (plan.gates === 1) return commands
    const one = random.below(plan.gates)
    return commands.map((command) => {
      const isRequest = command.kind === 'pin' || command.kind === 'unpin'
      return { ...command, gate: isRequest ? random.below(plan.gates) : one }
    })
  }

  private next(): Command[] {
    const { random, plan } = this
    if (random.is(0.8) || plan.faults.size === 0) return this.requests()
    const [first, ...rest] = [...plan.faults]
    return first === undefined ? [] : this.fault(random.of([first, ...rest]))
  }

  private requests(): Command[] {
    const { random, plan } = this
    if (!random.is(plan.burstiness)) return [this.paused(this.request())]
    // Many at once: of the same CID by several, or of many CIDs.
    const count = random.between(2, 30)
    const isOne = random.is(0.4)
    const cid = this.cid()
    const gapMs = random.of([0, 0, 3, 20])
    return Array.from({ length: count }, (_, index) => {
      const action = this.request(isOne ? cid : undefined)
      return index === 0 ? this.paused(action) : { ...action, afterMs: gapMs }
    })
  }

  private request(of?: number): Action {
    const { random, plan } = this
    const encoder = random.below(plan.encoders)
    const known = this.pinned[random.below(this.pinned.length)]
    if (random.is(0.3)) {
      if (of === undefined && known !== undefined && random.is(0.8))
        return { kind: 'unpin', ...known }
      return { kind: 'unpin', encoder, cid: of ?? this.cid() }
    }
    const isAgain = of === undefined && known !== undefined && random.is(0.3)
    const who = isAgain ? known : { encoder, cid: of ?? this.cid() }
    this.pinned.push(who)
    if (this.pinned.length > 100) this.pinned.shift()
    return {
      kind: 'pin',
      ...who,
      spanMs: random.of(spansMs),
      ...(random.is(0.15) ? { name: `n${random.below(4)}` } : {}),
      ...(random.is(0.04) ? { source: this.cid() } : {}),
    }
  }

  private fault(name: FaultName): Command[] {
    const { random } = this
    const one = (action: Action): Command[] => [this.paused(action)]
    switch (name) {
      case 'gate-kill':
        return [...one({ kind: 'gate-kill' }), this.again('gate-start')]
      case 'gate-stop':
        return [...one({ kind: 'gate-stop' }), this.again('gate-start')]
      case 'cluster-kill':
        return this.killedCluster()
      case 'cluster-stop':
        return [...one({ kind: 'cluster-stop' }), this.again('cluster-start')]
      case 'power-cut':
        return [...one({ kind: 'power-cut', forgets: this.forgets() }), ...this.bothAgain()]
      case 'lost-answer':
        return one({ kind: 'write-fault', fault: { kind: 'answer-lost' } })
      case 'late-write':
        return this.lateWrite()
      case 'server-error':
        return one({
          kind: 'write-fault',
          fault: { kind: random.is(0.7) ? 'error' : 'done-with-error' },
        })
      case 'rejection': {
        const action = this.request()
        return one(action.kind === 'pin' ? { ...action, isRefused: true } : action)
      }
      case 'read-fault':
        return Array.from({ length: random.between(1, 4) }, () => ({
          ...this.paused({
            kind: 'read-fault',
            fault: random.of(['error', 'hung-up', 'timeout'] as const),
          }),
          afterMs: 0,
        }))
      case 'freeze':
        return one({ kind: 'freeze', ms: random.of([500, 5000, 60_000]) })
      case 'batching':
        return one({ kind: 'batching', ms: random.of([0, 0, 200, 1500, 10_000]) })
      case 'kubo':
        return one({
          kind: 'kubo',
          status: random.of(['finished', 'finished', 'unfinished', 'unknown'] as const),
        })
      case 'disk-full':
        return [...one({ kind: 'disk-full' }), this.again('disk-heal')]
      case 'disk-slow':
        return [
          ...one({ kind: 'disk-slow', ms: random.of([20, 500, 3000]) }),
          this.again('disk-heal'),
        ]
      case 'disk-lost':
        return random.is(0.2) ? [...one({ kind: 'disk-lost' }), this.again('gate-start')] : []
      case 'disk-restore':
        return random.is(0.5)
          ? one({ kind: 'disk-copy' })
          : random.is(0.3)
            ? [...one({ kind: 'disk-restore' }), this.again('gate-start')]
            : []
      case 'clock': {
        const aheadMs = random.of([-3_600_000, -4000, -1000, 1000, 60_000, 7_200_000])
        const some = this.requests()
        return [...one({ kind: 'clock', aheadMs }), ...some, ...one({ kind: 'clock', aheadMs: 0 })]
      }
      case 'hand':
        return one({ kind: random.of(['hand-remove', 'hand-add'] as const), cid: this.cid() })
      case 'backup':
        return random.is(0.3) ? this.backup() : []
      case 'keys':
        return random.is(0.3) ? this.rotation() : one(this.keys())
      case 'grace':
        return one({ kind: 'grace', seconds: random.of([0, 0, 7200]) })
      case 'take-down':
        return one({ kind: 'take-down', cid: this.cid() })
      // The last encoder has one from the beginning.
      case 'quota':
        return this.requests()
      case 'store-late':
        return this.latePacket()
      case 'store-away':
        return [...one({ kind: 'store-kill' }), ...this.meanwhile(), this.again('store-start')]
      case 'store-empty':
        return [...one({ kind: 'store-kill' }), { kind: 'store-start', afterMs: 0 }]
      case 'store-loses':
        return one({ kind: 'store-lose', share: random.of([0.3, 1]) })
      case 'store-refuses':
        return [...one({ kind: 'store-refuse' }), ...this.meanwhile(), this.again('store-heal')]
      case 'plans':
        return one({
          kind: random.of(['plan', 'apply'] as const),
          encoder: random.below(this.plan.encoders),
        })
    }
  }

  /** It is down for a while; at times the gate is killed at the same moment, or while it waits. */
  private killedCluster(): Command[] {
    const { random } = this
    const kill = this.paused({ kind: 'cluster-kill', forgets: this.forgets() })
    const afterMs = random.of([5, 60, 700])
    const gate: Command[] = random.is(0.15) ? [{ kind: 'gate-kill', afterMs }] : []
    return [kill, ...gate, ...this.meanwhile(), ...this.bothAgain()]
  }

  /** To the store, or its answer; or all packets wait for a while. */
  private latePacket(): Command[] {
    const { random } = this
    if (random.is(0.2)) {
      const ms = random.of([60, 400, 6000, 60_000])
      return [this.paused({ kind: 'store-pause', ms }), ...this.meanwhile()]
    }
    const fault = {
      kind: random.of(['late', 'answer-late'] as const),
      ms: random.of([60, 200, 9000]),
    }
    const cid = this.cid()
    return [
      this.paused({ kind: 'packet-fault', fault }),
      { ...this.request(cid), afterMs: 0 },
      { ...this.request(cid), afterMs: random.of([1, 100, 2000]) },
    ]
  }

  private keys(): Action {
    const { random, plan } = this
    const encoder = random.below(plan.encoders)
    return { kind: random.of(['rotate-key', 'rename'] as const), encoder }
  }

  /** An encoder asks for the same with its old key and its new one, while the cluster is down. */
  private rotation(): Command[] {
    const { random, plan } = this
    const encoder = random.below(plan.encoders)
    const pin = { kind: 'pin', encoder, cid: this.cid(), spanMs: random.of(spansMs) } as const
    return [
      this.paused({ kind: 'cluster-stop' }),
      { ...pin, afterMs: 2000 },
      { kind: 'rotate-key', encoder, afterMs: 100 },
      { ...pin, afterMs: 100 },
      this.again('cluster-start'),
    ]
  }

  /** Alpha's write hangs, others continue, and it lands. */
  private lateWrite(): Command[] {
    const { random } = this
    const landsAfterMs = random.of([2000, 27_000, 40_000, 90_000, 240_000, undefined])
    const fault = this.paused({ kind: 'write-fault', fault: { kind: 'late', landsAfterMs } })
    const action = this.request()
    const cid = 'cid' in action ? action.cid : undefined
    return [
      fault,
      { ...action, afterMs: 1 },
      { ...this.request(cid), afterMs: 26_000 },
      ...(random.is(0.5) ? [{ ...this.request(cid), afterMs: random.of([1, 2000]) }] : []),
    ]
  }

  /** An older state comes back after much was unpinned. */
  private backup(): Command[] {
    const { random, plan } = this
    const count = Math.min(plan.cids, 90)
    const encoder = random.below(plan.encoders)
    const all = Array.from({ length: count }, (_, cid) => cid)
    const pins = all.map((cid) => ({ kind: 'pin', encoder, cid, spanMs: Infinity }) as const)
    const unpins = all.map((cid) => ({ kind: 'unpin', encoder, cid }) as const)
    const quick = (action: Action): Command => ({ ...action, afterMs: 5 })
    const isGateDown = random.is(0.6)
    return [
      ...pins.map(quick),
      this.paused({ kind: 'export' }),
      ...unpins.map(quick),
      ...(isGateDown ? [{ kind: 'gate-stop', afterMs: 1000 } as const] : []),
      { kind: 'cluster-stop', afterMs: 2000 },
      { kind: random.is(0.9) ? 'import' : 'wipe', afterMs: 100 },
      ...this.bothAgain(),
    ]
  }

  private meanwhile(): Command[] {
    return this.random.is(0.5) ? this.requests() : []
  }

  private bothAgain(): Command[] {
    const gate = this.again('gate-start')
    const cluster = this.again('cluster-start')
    return this.random.is(0.5) ? [gate, cluster] : [cluster, gate]
  }

  private again(kind: Again): Command {
    const afterMs = this.random.of([0, 10, 300, 2000, 30_000, 360_000])
    // That it ended is seen before a new process of it can answer.
    return { kind, afterMs: kind === 'cluster-start' ? Math.max(10, afterMs) : afterMs }
  }

  private forgets(): number {
    const { random } = this
    return random.is(0.15) ? 0 : random.is(0.85) ? random.between(15, 30) : random.between(31, 60)
  }

  private paused(action: Action): Command {
    const { random } = this
    const scale = random.weighted({ none: 4, short: 4, middle: 3, long: 1.5, longest: 0.3 })
    const afterMs = Math.floor(pausesMs[scale] * random.next())
    return { ...action, afterMs }
  }

  private cid(): number {
    // Some are asked for far more often than others.
    const { random, plan } = this
    return random.is(0.5) ? random.below(plan.cids) : random.below(Math.min(3, plan.cids))
  }
}

type Again = 'gate-start' | 'cluster-start' | 'disk-heal' | 'store-start' | 'store-heal'

const pausesMs = { none: 5, short: 100, middle: 2000, long: 60_000, longest: 400_000 } as const
