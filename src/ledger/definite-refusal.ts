/** A refusal of a healthy cluster that no repetition changes. */

/**
 * Texts of its checks, from cluster-api: `pin` in ipfs-cluster 1.1.4 and 1.1.6. Every other 500 may
 * be temporary.
 */
const texts = [
  'replication_factor_min is larger than max',
  'replication_factor_min and max must be -1 when one of them is',
  'replication_factor_min is wrong',
  'not enough peers to allocate CID',
  'cannot repin a CID which is already pinned in recursive mode',
  'pin.ExpireAt set before current time',
  'this pin type cannot be updated',
]

export class DefiniteRefusal extends Error {
  override readonly name = 'DefiniteRefusal'
}

/** @param text of the answer */
export const isDefinite = (status: number, text: string): boolean =>
  status === 400 || status === 404 || (status === 500 && texts.some((part) => text.includes(part)))
