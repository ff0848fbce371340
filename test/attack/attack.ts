/** What an attack is: one file of attacks/ each, which exports it as `attack`. */
import type { FakeCluster } from '../support/fake-cluster/index.js'

/**
 * Its file is loaded by three processes, and each runs its part of it: the runner asks for its
 * settings, the cluster's process lets the cluster be as it should, the attackers' does the deed.
 */
export interface Attack {
  /** One sentence. */
  readonly title: string
  /** Merged over those of the frame, section by section. */
  readonly settings?: Readonly<Record<string, object>>
  /** Encoders beside the well-behaved one, with what their settings say more than a key. */
  readonly encoders?: Readonly<Record<string, object>>
  /** Whether the gate speaks TLS. */
  readonly tls?: boolean
  /** How the cluster behaves, quiet and attacked. */
  readonly cluster?: (cluster: FakeCluster) => void
  /** Attacks until the signal. */
  readonly run: (target: Target, signal: AbortSignal) => Promise<void>
}

export interface Target {
  readonly url: string
  readonly port: number
  /** By encoder. */
  readonly keys: Readonly<Record<string, string>>
}

/** What the runner tells the process of the attackers or of the cluster to begin with. */
export interface Order {
  /** A file of attacks/, without its ending. */
  readonly name: string
  /** Undefined: be the cluster. */
  readonly target?: Target
}

export async function loadAttack(name: string): Promise<Attack> {
  const { attack } = (await import(`./attacks/${name}.js`)) as { attack: Attack }
  return attack
}
