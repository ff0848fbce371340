/** Makes text that a client chose fit for the log: bounded, and without anything like a key. */

/** Our keys start with `pw_`. */
const keyLike = /pw_[0-9a-z_]+/gi
/** User information in a URL is a credential whatever it looks like. */
const userInfo = /\/\/[^/]*@/g

/**
 * Replaces key-like text and user information, and cuts to a number of characters.
 * Percent-escapes are looked through, also escaped ones, so that neither `%70w_…` nor `%2570w_…`
 * slips past; control characters are left to the JSON encoder.
 */
export function redact(text: string, charactersMax: number): string {
  const decoded = decodeAscii(text)
  const isSecret = decoded.search(keyLike) >= 0 || decoded.search(userInfo) >= 0
  const shown = isSecret ? decoded : text
  const result = shown.replace(keyLike, 'pw_…').replace(userInfo, '//…@')
  return result.length > charactersMax ? `${result.slice(0, charactersMax - 1)}…` : result
}

/** Decodes every escape of an ASCII character, however often escaped, and leaves the rest. */
const decodeAscii = (text: string): string =>
  text.includes('%')
    ? text.replace(/%(?:25)*([0-7][0-9a-f])/gi, (_all, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      )
    : text
