/** Header fields, by their names in lower case. */

/** Fields to send. */
export type RequestHeaders = Readonly<Record<string, string>>

/** Received fields, also trailers: a field that came several times is a list. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>
