/** Text as people's editors save it: in UTF-8, perhaps with a byte order mark at its start. */

/** The byte order mark stays, as an edit must not lose it. @returns undefined: it is not UTF-8 */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Drops the byte order mark with which some editors on Windows begin a file. */
export function withoutBom(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}
