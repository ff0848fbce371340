/** Takes raw answers apart, so that those of two clusters can be laid side by side. */
import { RawClient } from '../support/raw.js'

export interface WireAnswer {
  readonly statusLine: string
  /** In their order; the values of Date and Content-Length only when they are wrong. */
  readonly headers: readonly string[]
  /** How the body ended: `length`, `chunked`, `close`, or `none`. */
  readonly framing: string
  /** One text, or one per chunk. */
  readonly body: readonly string[]
  readonly trailers: readonly string[]
}

const patienceMs = 30_000

/** Sends bytes and returns all that came until the cluster closed the connection. */
export async function exchangeWithin(url: string, bytes: string): Promise<string> {
  const client = await RawClient.to(url)
  const timer = setTimeout(() => client.socket.destroy(), patienceMs)
  const text = await client.write(Buffer.from(bytes)).all()
  clearTimeout(timer)
  return text
}

/** Every answer on a connection, those to pipelined requests too. */
export function takeApart(text: string, method: string): WireAnswer[] {
  const answers: WireAnswer[] = []
  for (let rest = text; rest !== '';) {
    const [answer, left] = takeOne(rest, method)
    answers.push(answer)
    rest = left
  }
  return answers
}

function takeOne(text: string, method: string): [answer: WireAnswer, rest: string] {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) throw new Error(`no answer: ${JSON.stringify(text.slice(0, 200))}`)
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const { framing, body, trailers, rest } = bodyOf(lines, statusLine, method, text.slice(end + 4))
  const headers = lines.map((line) => {
    if (/^Date: [A-Z][a-z]{2}, \d\d .* GMT$/.test(line)) return 'Date: right'
    if (framing !== 'length' || !line.startsWith('Content-Length: ')) return line
    return 'Content-Length: right'
  })
  return [{ statusLine, headers, framing, body, trailers }, rest]
}

function bodyOf(headers: readonly string[], statusLine: string, method: string, text: string) {
  const none = { framing: 'none', body: [], trailers: [], rest: text }
  if (method === 'HEAD' || / (?:204|304|1\d\d) /.test(statusLine)) return none
  if (headers.includes('Transfer-Encoding: chunked')) return chunksOf(text)
  const [, length] = headers.map((line) => /^Content-Length: (\d+)$/.exec(line)).find(Boolean) ?? []
  if (length === undefined) return { framing: 'close', body: [text], trailers: [], rest: '' }
  const body = text.slice(0, Number(length))
  const framing = body.length === Number(length) ? 'length' : 'cut length'
  return { framing, body: [body], trailers: [], rest: text.slice(Number(length)) }
}

function chunksOf(text: string) {
  const body: string[] = []
  let rest = text
  for (;;) {
    const [line = '', digits] = /^([0-9a-f]+)\r\n/.exec(rest) ?? []
    if (digits === undefined) return { framing: 'cut chunks', body, trailers: [], rest: '' }
    rest = rest.slice(line.length)
    const length = Number.parseInt(digits, 16)
    if (length === 0) break
    body.push(rest.slice(0, length))
    rest = rest.slice(length + 2)
  }
  const end = rest.startsWith('\r\n') ? 0 : rest.indexOf('\r\n\r\n') + 2
  const trailers = rest.slice(0, end).split('\r\n').slice(0, -1)
  return { framing: 'chunked', body, trailers, rest: rest.slice(end + 2) }
}

/** Replaces what differs between two clusters by nature; times keep their kind. */
export function withoutSelf(text: string, self: ReadonlyMap<string, string>): string {
  let common = text
  for (const [own, shared] of self) common = common.replaceAll(own, shared)
  return common.replace(
    /\b(20\d\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g,
    (time, year: string, fraction: string | undefined) => {
      if (Math.abs(Number(year) - new Date().getUTCFullYear()) > 1) return time
      return fraction === undefined ? '<time>' : '<time with a fraction>'
    },
  )
}
