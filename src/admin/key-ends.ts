/** Keys whose expiry locks an encoder out: for the alarms of the status page, and as a metric. */
import { addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { Config } from '../settings/schema/schema.js'
import { dayMs } from '../time/units.js'

export interface KeyEnd {
  readonly encoder: string
  readonly keyId: string
  /** Milliseconds since the epoch; may be past. */
  readonly expires: number
}

/** A later expiry is not a concern yet; an earlier one was intended. */
const [aheadMs, behindMs] = [30 * dayMs, 7 * dayMs]

/**
 * For each enabled encoder: keys that end soon and are in use, or are its last ones. Excludes an
 * old key that a newer one has replaced.
 * @returns the soonest first
 */
export function keyEnds(
  encoders: Config['encoders'],
  isUsed: (encoder: string, keyId: string) => boolean,
  now: number,
): readonly KeyEnd[] {
  const ends: KeyEnd[] = []
  for (const [encoder, { enabled, keys }] of Object.entries(encoders)) {
    if (!enabled) continue
    const expiries = keys.map(({ expires }) =>
      expires === undefined ? Infinity : Date.parse(expires),
    )
    const last = Math.max(...expiries)
    for (const [index, { id: keyId }] of keys.entries()) {
      const expires = expiries[index] ?? Infinity
      if (expires > now + aheadMs || expires < now - behindMs) continue
      const isInUse = expires > now && isUsed(encoder, keyId)
      if (expires === last || isInUse) ends.push({ encoder, keyId, expires })
    }
  }
  return ends.sort((one, other) => one.expires - other.expires)
}

/** The same bound as for encoders in other metrics; the soonest ends matter most. */
const shownMax = 1024

export function registerKeyEnds(registry: Registry, read: () => readonly KeyEnd[]): void {
  addGauge(registry, {
    name: 'pinwarden_key_expiry_timestamp_seconds',
    help: 'Expiry of keys that end within 30 days and are in use, or the last of their encoder.',
    labelNames: ['encoder', 'key'],
    read: () =>
      read()
        .slice(0, shownMax)
        .map(({ encoder, keyId, expires }) => [{ encoder, key: keyId }, expires / 1000] as const),
  })
}
