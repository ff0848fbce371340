/** Texts in quotation marks, as Go prints them. */

const short = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
])

const byCode = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`

/** As `%q` does. */
export const quoted = (text: string): string =>
  `"${text
    .replace(/["\\]/g, (mark) => `\\${mark}`)
    .replace(/[\0-\x1f\x7f]/g, (character) => short.get(character) ?? byCode(character))}"`

/** As package time does, which takes every byte by itself. */
export const quotedBytes = (text: string): string =>
  `"${Buffer.from(text)
    .toString('latin1')
    .replace(/["\\]/g, (mark) => `\\${mark}`)
    .replace(/[\0-\x1f\x80-\xff]/g, byCode)}"`
