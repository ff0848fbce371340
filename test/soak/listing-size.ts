/** What the soak's cluster lists, for those who send it and those who check it. */

/** A few MB. */
export const listing = { lines: 4000, bytes: 1000, chunkBytes: 16_384 }

export const listingWithError = { lines: 100, bytes: 1000, chunkBytes: 16_384 }

export const errorLine = (code: number): string =>
  `${JSON.stringify({ code, message: 'something is wrong' })}\n`
