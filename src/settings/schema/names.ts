/** Names and words of the configuration, and how many there may be. */

/** An encoder's or role's name: no `:` (it would end the user part of Basic), safe in URLs. */
export const namePattern = '^[a-z0-9][a-z0-9._-]{0,62}$'

export const nameExpects = 'a name of 1 to 63 of a-z 0-9 . _ - that begins with a letter or a digit'

/** Bound on the encoders of one file; the limiter's tables hold this many, so none is evicted. */
export const encodersMax = 100_000

/** Keys of one encoder. */
export const keysMax = 16

/** A word for having no store. */
export const memory = 'memory'
