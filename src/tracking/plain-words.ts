/** Explains in plain words why a pin failed: the cluster only reports what its code saw. */

const textBytesMax = 256

/** First match first; Kubo's own words come behind `Message:` (ipfsconn/ipfshttp). */
const words: readonly (readonly [RegExp, string])[] = [
  [
    // The cluster cancels a pin without progress after a time limit, and all pins when it stops.
    /context (?:canceled|deadline exceeded)/,
    'the cluster gave up before Kubo had it: no progress in its pin_timeout, or a restart',
  ],
  [/operation queue is full/, 'the queue of the cluster is full'],
  [/connection refused|no such host|no route to host/, 'the IPFS daemon cannot be reached'],
  [/no space left on device|disk quota exceeded/, 'the disk of the IPFS daemon is full'],
]

/** @param error the text of a `pin_error` */
export function plainWords(error: string): string {
  const known = words.find(([pattern]) => pattern.test(error))
  if (known !== undefined) return known[1]
  const kubo = /\bMessage: ([\s\S]+)/.exec(error)?.[1]
  const text = kubo === undefined ? error : `the IPFS daemon says: ${kubo}`
  return text === '' ? 'the cluster does not say why' : text.slice(0, textBytesMax)
}
