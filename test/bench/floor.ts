/**
 * The least that such a gate can cost on this Node: node:http, undici's dispatch, a Map for the
 * credentials, one string for each line of the log, and nothing else. A pin is two exchanges.
 */
import { createWriteStream } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Agent, type Dispatcher } from 'undici'
import { readNodeSettings } from './node-settings.js'

const settings = readNodeSettings()
const agent = new Agent({ connections: 64, pipelining: 1 })
const log = createWriteStream(settings.logFile)
const names = new Map([[`Basic ${btoa(`${settings.user}:${settings.password}`)}`, settings.user]])
const pinPath = '/pins/'

function serve(request: IncomingMessage, response: ServerResponse): void {
  const startMs = performance.now()
  const name = names.get(request.headers.authorization ?? '')
  if (name === undefined) {
    response.writeHead(401).end()
    return
  }
  const { method = 'GET', url = '/' } = request
  const forward = (): void => {
    exchange(method, url, request, (status, type, body) => {
      response.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body)
      const spentMs = performance.now() - startMs
      log.write(`{"encoder":"${name}","url":"${url}","status":${status},"ms":${spentMs}}\n`)
    })
  }
  if (method !== 'POST') forward()
  else exchange('GET', `/allocations/${url.slice(pinPath.length)}`, null, forward)
}

type OnAnswer = (status: number, type: string, body: Buffer) => void

function exchange(
  method: Dispatcher.HttpMethod,
  path: string,
  body: IncomingMessage | null,
  onAnswer: OnAnswer,
): void {
  let status = 0
  let type = ''
  const chunks: Buffer[] = []
  const sent = method === 'GET' ? null : body
  agent.dispatch(
    { origin: settings.upstream, path, method, body: sent },
    {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, statusCode, headers) => {
        status = statusCode
        type = String(headers['content-type'])
      },
      onResponseData: (_controller, chunk) => {
        chunks.push(chunk)
      },
      onResponseEnd: () => {
        const [first] = chunks
        const whole = first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks)
        onAnswer(status, type, whole)
      },
      onResponseError: (_controller, error) => {
        throw error
      },
    },
  )
}

const { cert, key } = settings
createServer(serve).listen(settings.port, '127.0.0.1')
createTlsServer({ cert, key }, serve).listen(settings.tlsPort, '127.0.0.1')
