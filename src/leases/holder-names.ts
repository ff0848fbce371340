/** Finds the encoder's name of a lease: people cannot read its id. */
import type { Snapshot } from '../settings/snapshot.js'
import { operator } from './lease.js'

/** Lease id → name; removed encoders are missing. */
export function namesByHolder({
  config,
  keyring,
}: Pick<Snapshot, 'config' | 'keyring'>): ReadonlyMap<string, string> {
  const names = Object.keys(config.encoders)
  const known = names.map((name) => [keyring.encoder(name)?.leaseId ?? '', name] as const)
  return new Map([...known, [operator, operator] as const])
}
