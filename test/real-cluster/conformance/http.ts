/** HTTP as no client should speak it, and as the encoder does. */
import { ask, type Contents, raw, type Step } from './step.js'

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`

/** A head of exactly so many bytes. */
function sized(bytes: number): string {
  const start = `${get('/id')}A: `
  return `${start}${'a'.repeat(bytes - start.length - 4)}\r\n\r\n`
}

/** What Go's server itself answers, or takes. */
export const http = ({ v0 }: Contents): Step[] => [
  raw('a head of 8192 bytes', sized(8192)),
  raw('a head of 8193 bytes', sized(8193)),
  raw('a head of 20000 bytes', sized(20_000)),
  ask(`GET /pins/${'x'.repeat(9000)}`),
  raw('no request', 'hello\r\n\r\n'),
  raw('an empty line before it', `\r\n${get('/id')}\r\n`),
  raw('only lines', '\r\n\r\n'),
  raw('no Host', 'GET /id HTTP/1.1\r\nConnection: close\r\n\r\n'),
  raw('two Hosts', `${get('/id')}Host: y\r\n\r\n`),
  raw('a bad Host', 'GET /id HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'),
  raw('an empty Host', 'GET /id HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n'),
  raw('a space before the colon', `${get('/id')}A : b\r\n\r\n`),
  raw('a header without a colon', `${get('/id')}nonsense\r\n\r\n`),
  raw('a header without a name', `${get('/id')}: x\r\n\r\n`),
  raw('a control character in a header', `${get('/id')}A: b\x01c\r\n\r\n`),
  raw('a zero in a header', `${get('/id')}A: b\0c\r\n\r\n`),
  raw('a bad header name', `${get('/id')}A(: b\r\n\r\n`),
  raw('a bad method', 'G(T /id HTTP/1.1\r\nHost: x\r\n\r\n'),
  raw('a lower-case method', 'get /id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
  raw('two spaces', 'GET  /id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
  raw('a space in the target', 'GET /i d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
  raw('a target without a slash', 'GET id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
  raw('an absolute target', `${get('http://y/id')}\r\n`),
  raw('an absolute target without a path', `${get('http://y')}\r\n`),
  raw('an absolute target with a slash', `${get('http://y/id/')}\r\n`),
  raw('an absolute target with two slashes', `${get('http://y//id')}\r\n`),
  raw('a bad escape in the path', `${get('/pins/%zz')}\r\n`),
  raw('a cut escape in the path', `${get('/pins/%5')}\r\n`),
  raw('a fragment', `${get('/id#x')}\r\n`),
  raw('bytes above ASCII in the path', `${get('/pins/é')}\r\n`),
  raw('a control character in the path', `${get('/pins/\x01')}\r\n`),
  raw('HTTP/1.2', 'GET /id HTTP/1.2\r\nHost: x\r\nConnection: close\r\n\r\n'),
  raw('HTTP/2.0', 'GET /id HTTP/2.0\r\nHost: x\r\n\r\n'),
  raw('HTTP/0.9', 'GET /id HTTP/0.9\r\nHost: x\r\n\r\n'),
  raw('HTTP/9', 'GET /id HTTP/9\r\nHost: x\r\n\r\n'),
  raw('no version', 'GET /id\r\n\r\n'),
  raw('HTTP/1.0', 'GET /id HTTP/1.0\r\n\r\n'),
  raw('two lengths', `${get('/id')}Content-Length: 1\r\nContent-Length: 2\r\n\r\na`),
  raw('a list of lengths', `${get('/id')}Content-Length: 1, 1\r\n\r\na`),
  raw('a bad length', `${get('/id')}Content-Length: x\r\n\r\n`),
  raw('a negative length', `${get('/id')}Content-Length: -1\r\n\r\n`),
  raw('a length with a sign', `${get('/id')}Content-Length: +1\r\n\r\na`),
  raw('an unknown encoding', `${get('/id')}Transfer-Encoding: gzip\r\n\r\n`),
  raw('two encodings', `${get('/id')}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`),
  raw('chunks', `${get('/id')}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`),
  raw(
    'an expectation that is met',
    `${get('/id')}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`,
  ),
  raw('another expectation', `${get('/id')}Expect: tea\r\n\r\n`),
  raw('an upgrade', `${get('/id')}Upgrade: h2c\r\n\r\n`),
  raw('the encoder’s unpin', encoders('DELETE', v0, '')),
  raw('the encoder’s pin of nothing', encoders('POST', 'abcd', 'null')),
  raw('two requests at once', `GET /id HTTP/1.1\r\nHost: x\r\n\r\n${get('/nowhere')}\r\n`),
]

/** What Go reads, and no gate should send: there the fake is strict, so that a test would show it. */
export const dubious: Step[] = [
  raw('a folded header', `${get('/id')}A: b\r\n c\r\n\r\n`),
  raw('the same length twice', `${get('/id')}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`),
  raw(
    'length and chunks',
    `${get('/id')}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ),
  raw('a target of another scheme', `${get('ftp://y/id')}\r\n`),
  raw('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  ask('CONNECT x:80'),
]

function encoders(method: string, cid: string, body: string): string {
  const lines = [
    `${method} /pins/${cid} HTTP/1.1`,
    'Accept: application/json, text/plain, */*',
    'Content-Type: application/json',
    'User-Agent: axios/1.7.7',
    ...(body === '' ? [] : [`Content-Length: ${body.length}`]),
    'Accept-Encoding: gzip, compress, deflate, br',
    'Host: x',
    'Connection: close',
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
