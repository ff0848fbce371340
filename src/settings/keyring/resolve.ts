/** Computes for each encoder what a request needs: permissions, options and limits. */
import { inSlices, type SlicedWork } from '../../time/slices.js'
import { leaseIdOf } from '../values/lease-id.js'
import { blockListOf } from '../values/network.js'
import { builtInRoles, type OptionGrant, type Permission } from '../values/permissions.js'
import type { Config, EncoderConfig, LimitsConfig } from '../schema/schema.js'
import type { Encoder, EncoderLimits } from './encoder.js'
import { dayMs } from '../../time/units.js'

/** All encoders by name; those with equal rights share one set, one list, one limits object. */
export function* encodersOf(config: Config): SlicedWork<ReadonlyMap<string, Encoder>> {
  const roles = rolesOf(config)
  const defaults = limitsOf(undefined, config.limits)
  const permissions = sharing(({ role, allow, deny }: EncoderConfig) =>
    permissionSet(roles.get(role) ?? [], allow, deny),
  )
  const options = sharing(({ options }: EncoderConfig) => new Set<OptionGrant>(options))
  const from = sharing(({ from }: EncoderConfig) => blockListOf(from))
  const resolve = (name: string, encoder: EncoderConfig): Encoder =>
    Object.freeze({
      name,
      enabled: encoder.enabled,
      role: encoder.role,
      permissions: permissions(encoder, [encoder.role, encoder.allow, encoder.deny]),
      options: options(encoder, encoder.options),
      enforcement: encoder.enforcement ?? config.enforcement,
      leaseId: encoder.leaseId ?? leaseIdOf(name),
      retentionMs: retentionOf(encoder, config),
      from: from(encoder, encoder.from),
      limits: encoder.limits === undefined ? defaults : limitsOf(encoder.limits, config.limits),
    })
  return new Map(
    yield* inSlices(Object.entries(config.encoders), ([name, encoder]) => [
      name,
      resolve(name, encoder),
    ]),
  )
}

/** Built-in roles and those of the file. A map, as a role may be called `constructor`. */
export function rolesOf(config: Config): ReadonlyMap<string, readonly Permission[]> {
  return new Map<string, readonly Permission[]>([
    ...Object.entries(builtInRoles),
    ...Object.entries(config.roles),
  ])
}

const retentionOf = (encoder: EncoderConfig, { retentionDays }: Config): number =>
  (encoder.retentionDays ?? retentionDays[encoder.role] ?? Infinity) * dayMs

function permissionSet(
  role: readonly Permission[],
  allow: readonly Permission[],
  deny: readonly Permission[],
): ReadonlySet<Permission> {
  return new Set([...role, ...allow].filter((permission) => !deny.includes(permission)))
}

function limitsOf(own: EncoderConfig['limits'], common: LimitsConfig): EncoderLimits {
  return Object.freeze({
    reads: Object.freeze({ ...common.reads, ...own?.reads }),
    listings: Object.freeze({ ...common.listings, ...own?.listings }),
    writes: Object.freeze({ ...common.writes, ...own?.writes }),
    inFlight: own?.inFlight ?? common.inFlight,
    leases: own?.leases ?? common.leases ?? Infinity,
    unfinished: own?.unfinished ?? common.unfinished ?? Infinity,
  })
}

/** Makes a value once for all encoders with the same key. */
function sharing<T>(make: (encoder: EncoderConfig) => T) {
  const shared = new Map<string, T>()
  return (encoder: EncoderConfig, by: unknown): T => {
    const key = JSON.stringify(by)
    const known = shared.get(key)
    if (known !== undefined) return known
    const thing = make(encoder)
    shared.set(key, thing)
    return thing
  }
}
