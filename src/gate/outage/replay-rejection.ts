/**
 * Decides whether an entry may still be replayed: settings and pin may have changed since its
 * request.
 */
import type { QueueEntry } from '../../ledger/queue-entry.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import type { Config } from '../../settings/schema/schema.js'
import { mayPin } from '../../settings/values/permissions.js'
import { readPinOptions } from '../authorize/pin-options.js'
import { BadRequest } from '../refusals.js'

/**
 * @param nowMs by the earlier of the host's clock and the cluster's: nothing that was accepted ends
 *   before both say so
 * @returns why the entry is rejected; undefined: it is not
 */
export function rejectionOf(
  { keyDigest, options, untilMs }: QueueEntry,
  encoder: Encoder,
  { encoders }: Config,
  nowMs: number,
): string | undefined {
  if (!encoder.enabled) return 'encoder-disabled'
  const key = encoders[encoder.name]?.keys.find(({ sha256 }) => sha256 === keyDigest)
  if (key === undefined) return 'key-revoked'
  if (key.expires !== undefined && Date.parse(key.expires) <= nowMs) return 'key-expired'
  if (!mayPin(encoder)) return 'not-permitted'
  if (untilMs <= nowMs) return 'expired'
  if (encoder.enforcement !== 'enforce') return undefined
  try {
    readPinOptions(new Map(options), encoder.options)
    return undefined
  } catch (error) {
    if (error instanceof BadRequest) return error.reason
    throw error
  }
}
