/** Cleans text of clients for the log: bounded, and without anything like a key. */

/** Keys of the gate start with `pw_`. */
const keyLike = /pw_[0-9a-z_]+/gi
/** User information in a URL is a credential, whatever it contains. */
const userInfo = /\/\/[^/]*@/g

/**
 * Replaces key-like text and user information, and cuts to a number of characters. It decodes
 * percent-escapes, also nested ones, so that neither `%70w_…` nor `%2570w_…` slips past.
 */
export function redact(text: string, charactersMax: number): string {
  const decoded = decodeAscii(text)
  const isSecret = decoded.search(keyLike) >= 0 || decoded.search(userInfo) >= 0
  const shown = isSecret ? decoded : text
  const result = shown.replace(keyLike, 'pw_…').replace(userInfo, '//…@')
  return result.length > charactersMax ? `${result.slice(0, charactersMax - 1)}…` : result
}

/** Decodes every escape of an ASCII character, however deeply nested, and leaves the rest. */
const decodeAscii = (text: string): string =>
  text.includes('%')
    ? text.replace(/%(?:25)*([0-7][0-9a-f])/gi, (_all, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      )
    : text
