/** Text from outside, made safe for a terminal. */

/**
 * Escapes what a terminal would obey, or hide, as JSON does: `\u001b`. What was JSON stays JSON.
 *
 * @param kept characters that stay as they are
 */
export const printable = (text: string, kept = '\n\t'): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    kept.includes(character) ? character : Array.from(units(character), escaped).join(''),
  )

/** In JSON, a character beyond U+FFFF is two. */
function* units(character: string): Generator<number> {
  for (let index = 0; index < character.length; index++) yield character.charCodeAt(index)
}

const escaped = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`
