/** Reads durations as Go writes them, which is how the cluster's parameters say them. */

const unitNs = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 }
/** Go reads longer fractions and rounds them its own way. */
const part = /(?=\.?\d)(\d*)\.?(\d{0,9})(ns|us|µs|μs|ms|s|m|h)/gy
/** Go counts in 63 bits; a millisecond less makes up for what a double cannot tell apart. */
const nsMax = 2 ** 63 - 2 ** 20

/** @returns nanoseconds of `72h` or `1h30m` (no days); undefined: not a duration, or too long */
export function readDuration(text: string): number | undefined {
  let ns = 0
  let end = 0
  for (const [read, whole = '', fraction = '', unit = ''] of text.matchAll(part)) {
    const unitOfPartNs = unitNs[unit as keyof typeof unitNs]
    // Like Go, which drops what is below a nanosecond of each part.
    ns += Number(whole) * unitOfPartNs + Math.floor(Number(`0.${fraction}`) * unitOfPartNs)
    end += read.length
  }
  return end !== text.length || end === 0 || ns >= nsMax ? undefined : ns
}
