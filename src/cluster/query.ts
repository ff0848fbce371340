/** Queries to the cluster: encoded in one spelling, and bounded as all of its request line is. */

/** Name and value as they are sent. */
export type Parameter = readonly [name: string, value: string]

/** Room for as many base32 CIDs as are taken, and the rest of the cluster's 8192 for headers. */
export const queryBytesMax = 6400

/** Without `?`; whether it is too long is the caller's to see. */
export const encodeQuery = (parameters: readonly Parameter[]): string =>
  parameters
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')

/** The first of them, as many as fit into one request to the cluster. */
export function fittingCids(cids: readonly string[]): readonly string[] {
  let count = cids.length
  while (encodeQuery([['cids', cids.slice(0, count).join(',')]]).length > queryBytesMax) count--
  return cids.slice(0, count)
}
