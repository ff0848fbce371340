/** Header fields, by their names in lower case. */

/** What is sent. */
export type RequestHeaders = Readonly<Record<string, string>>

/** What came, also as trailers: a field that came several times is a list. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>
