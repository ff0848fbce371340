/** Malformed requests, or one too many: bytes, and the statuses that are right for them. */
import type { SeededRng } from './seeded-rng.js'
import { byPinner, type Question } from './questions.js'

type Make = (authorization: string) => readonly [text: string, ...statuses: number[]]

const head = (line: string, ...headers: readonly string[]): string =>
  [line, ...headers, '', ''].join('\r\n')

const many = Array.from({ length: 80 }, (_, index) => `X-${index}: x`)

const makes: readonly [Make, ...Make[]] = [
  () => [head('what is this'), 400],
  () => ['\0\x01\x02\r\n\r\n', 400],
  (key) => [head('GET /id HTTP/1.1', 'Host: soak', key, 'No colon'), 400],
  (key) => [head('GET /id HTTP/1.1', key), 400],
  (key) => [head('GET /id HTTP/1.1', 'Host: a', 'Host: b', key), 400],
  (key) => [head('GET /id HTTP/1.1', 'Host: soak', key, key), 400],
  (key) => [head('POST /pins/x HTTP/1.1', 'Host: soak', key, 'Content-Length: x'), 400],
  (key) => [
    head('POST /pins/x HTTP/1.1', 'Host: soak', key, 'Transfer-Encoding: gzip, chunked') +
      '0\r\n\r\n',
    400,
  ],
  (key) => [head('GET /id HTTP/1.1', 'Host: soak', key, 'Expect: everything'), 417],
  (key) => [head('GET /id HTTP/1.1', 'Host: soak', key, `X-Long: ${'x'.repeat(30_000)}`), 431],
  (key) => [head('GET /id HTTP/1.1', 'Host: soak', key, ...many), 431],
  (key) => [head(`GET /${'x'.repeat(21_000)} HTTP/1.1`, 'Host: soak', key), 414],
  (key) => [head('CONNECT elsewhere:80 HTTP/1.1', 'Host: soak', key), 405],
  (key) => [head('POST /pins/x HTTP/1.1', 'Host: soak', key, 'Content-Length: 9999'), 413],
]

/** After its answer the gate closes the connection. */
export function malformed(rng: SeededRng): Question {
  const [text, ...statuses] = rng.of(makes)(byPinner(rng))
  return { name: 'malformed', text, statuses, isForwarded: false }
}
