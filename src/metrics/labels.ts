/** Label values: few, short, and looked up once. */

/** Prometheus treats an empty label as missing; no encoder can have this name. */
export const absent = ''
/** No encoder can have this name either. */
const excess = '_other'

/**
 * Encoders beyond this number count together; those of earlier settings keep their label until the
 * next start.
 */
export const encoderLabelsMax = 1024
export const reasonsMax = 128

/** Bounds a label to this many values; only words, and short ones. */
export function bounded(wordsMax: number): (word: string | undefined) => string {
  const known = new Set<string>()
  return (word = absent) => {
    if (word === absent || known.has(word)) return word
    if (known.size >= wordsMax || !/^[a-z0-9][a-z0-9._-]{0,62}$/.test(word)) return excess
    known.add(word)
    return word
  }
}

export function remembered<K, V extends object>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>()
  return (key) => {
    let value = known.get(key)
    if (value === undefined) {
      value = make(key)
      known.set(key, value)
    }
    return value
  }
}
