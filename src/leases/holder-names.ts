/** Which encoder a lease is of: its id says nothing to people. */
import type { Snapshot } from '../settings/snapshot.js'
import { operator } from './lease.js'

/** Lease id → name; encoders that are not in the settings any more are not in it. */
export function namesByHolder({
  config,
  keyring,
}: Pick<Snapshot, 'config' | 'keyring'>): ReadonlyMap<string, string> {
  const names = Object.keys(config.encoders)
  const known = names.map((name) => [keyring.encoder(name)?.leaseId ?? '', name] as const)
  return new Map([...known, [operator, operator] as const])
}
