/** Header fields, by their names in lower case. */

/** Fields to send. */
export type RequestHeaders = Readonly<Record<string, string>>

/** Received fields, also trailers: a field that came several times is a list. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>

/** The clock of who answered, in milliseconds since the epoch; undefined: there is no date. */
export function dateIn({ date }: AnswerHeaders): number | undefined {
  const ms = typeof date === 'string' ? Date.parse(date) : NaN
  return Number.isNaN(ms) ? undefined : ms
}
