/**
 * What stands where a suite expects the cluster. Each request goes through the gate. Of a route
 * that the gate does not have, by design, the sentence that a client reads is noted, and the
 * request goes to the cluster, so that the rest of the suite can be judged.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface SuiteFront {
  /** Route and sentence → how often. */
  readonly refused: ReadonlyMap<string, number>
  close(): Promise<void>
}

interface Ways {
  readonly port: number
  readonly gatePort: number
  readonly clusterPort: number
  /** The credential that the suite has in its code, and the one that the gate knows instead. */
  readonly credential: { readonly given: string; readonly known: string }
  /** Whether requests without any also get it. */
  readonly isForAll: boolean
}

export async function startSuiteFront({
  port,
  gatePort,
  clusterPort,
  credential: { given, known },
  isForAll,
}: Ways): Promise<SuiteFront> {
  const refused = new Map<string, number>()
  const handle = async (asked: IncomingMessage, answer: ServerResponse) => {
    const body = await buffer(asked)
    const { authorization = isForAll ? given : undefined } = asked.headers
    const credential = authorization === given ? known : authorization
    const headers = { ...asked.headers, ...(credential && { authorization: credential }) }
    // What the gate has no route for is refused before it is read: an upload is not for it.
    const isUpload = headers['content-type']?.startsWith('multipart/') === true
    const answered = await ask(gatePort, asked, headers, isUpload ? Buffer.alloc(0) : body)
    if (answered.statusCode !== 404) {
      pass(answered, answer, await buffer(answered))
      return
    }
    const text = await buffer(answered)
    if (!isRouteless(text.toString())) {
      pass(answered, answer, text)
      return
    }
    const key = `${routeOf(asked)}: ${answered.statusCode} ${sentenceIn(text.toString())}`
    refused.set(key, (refused.get(key) ?? 0) + 1)
    const direct = await ask(clusterPort, asked, asked.headers, body)
    pass(direct, answer, await buffer(direct))
  }
  const server = createServer((asked, answer) => {
    handle(asked, answer).catch(() => answer.destroy())
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    refused,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function ask(
  port: number,
  { method, url }: IncomingMessage,
  given: IncomingMessage['headers'],
  body: Buffer,
): Promise<IncomingMessage> {
  const headers = { ...given }
  for (const name of ['content-length', 'transfer-encoding', 'expect'])
    Reflect.deleteProperty(headers, name)
  if (body.length > 0) headers['content-length'] = String(body.length)
  const asked = request({ host: '127.0.0.1', port, method, path: url, headers, agent: false })
  asked.end(body)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return answer
}

function pass(from: IncomingMessage, to: ServerResponse, body: Buffer): void {
  const headers = { ...from.headers }
  for (const name of ['content-length', 'transfer-encoding', 'connection', 'trailer'])
    Reflect.deleteProperty(headers, name)
  const trailers = from.trailers as Readonly<Record<string, string>>
  const isTrailed = Object.keys(trailers).length > 0
  to.writeHead(from.statusCode ?? 502, {
    ...headers,
    ...(isTrailed
      ? { trailer: Object.keys(trailers).join(', '), 'transfer-encoding': 'chunked' }
      : { 'content-length': body.length }),
  })
  if (isTrailed) to.addTrailers(trailers)
  to.end(body)
}

const sentenceIn = (text: string): string => {
  try {
    return (JSON.parse(text) as { message: string }).message
  } catch {
    return text.slice(0, 200)
  }
}

/** What the gate says of a path that it has no route for; of a pin the cluster's words stand. */
const isRouteless = (text: string): boolean => !sentenceIn(text).startsWith('pin is not part')

const routeOf = ({ method = '', url = '' }: IncomingMessage): string =>
  `${method} ${(url.split('?')[0] ?? '').replace(/\/(Qm|baf|12D3|zdj)\w+/g, '/…')}`
