/** Reads durations in Go's notation, which the cluster's parameters use. */

const unitNs = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 }
/** Go rounds longer fractions differently. */
const part = /(?=\.?\d)(\d*)\.?(\d{0,9})(ns|us|µs|μs|ms|s|m|h)/gy
/** Go counts in 63 bits; the limit is a millisecond less, as a double is not exact there. */
const nsMax = 2 ** 63 - 2 ** 20

/** @returns nanoseconds of `72h` or `1h30m` (no days); undefined: not a duration, or too long */
export function readDuration(text: string): number | undefined {
  let ns = 0
  let end = 0
  for (const [read, whole = '', fraction = '', unit = ''] of text.matchAll(part)) {
    const unitOfPartNs = unitNs[unit as keyof typeof unitNs]
    // Like Go, drops fractions of a nanosecond in each part.
    ns += Number(whole) * unitOfPartNs + Math.floor(Number(`0.${fraction}`) * unitOfPartNs)
    end += read.length
  }
  return end !== text.length || end === 0 || ns >= nsMax ? undefined : ns
}
