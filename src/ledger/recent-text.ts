/** How gates that share a store tell each other what they wrote last of a pin. */
import type { Recent } from './recent-rows.js'

export const recentText = (recent: Recent): string =>
  JSON.stringify({ row: recent.row, writtenMs: recent.writtenMs }, (_key, value: unknown) =>
    value === Infinity ? never : value,
  )

/** @param text of {@link recentText} */
export function readRecent(text: string): Recent {
  const { row, writtenMs } = JSON.parse(text, (key, value: unknown) =>
    value === never && times.has(key) ? Infinity : value,
  ) as { row: Recent['row']; writtenMs: number | null }
  // JSON knows no infinity: of a pin that was not there.
  return { row, writtenMs: writtenMs ?? -Infinity }
}

const never = 'never'
const times = new Set(['untilMs', 'expiresMs'])
