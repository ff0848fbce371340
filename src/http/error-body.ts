/** The body of an error, in the shape of the cluster's: `{"code":…,"message":"…"}`. */
import { STATUS_CODES } from 'node:http'

/**
 * The cluster's Go client takes JSON without a numeric `code` for a broken connection and tries its
 * next host, so the shape matters (api/rest/client/request.go).
 */
export const errorBody = (status: number, message: string): string =>
  `${JSON.stringify({ code: status, message })}\n`

/**
 * A whole answer as text, for a socket on which Node's parser has given up; the last one there.
 * @param fields more header fields, such as `['X-Request-Id: …']`
 */
export function rawError(status: number, message: string, fields: readonly string[] = []): string {
  const body = errorBody(status, message)
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...fields,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
