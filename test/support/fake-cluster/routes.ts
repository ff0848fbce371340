/** The cluster's route table: slashes first, then the decoded path, first match wins. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendError, sendJson, sendStream, goJson, sendText } from './answers.js'
import { ApiError, decodeCid } from './cids.js'
import { parseOptions, parseQuery } from './options.js'
import { idJson, pinJson, type Pinset, statusJson } from './state.js'

interface Call {
  readonly pinset: Pinset
  readonly response: ServerResponse
  readonly query: Map<string, string>
  /** What the route's pattern caught. */
  readonly caught: string[]
}

type Handler = (call: Call) => void | Promise<void>

const table: [method: string, pattern: RegExp, handler: Handler][] = [
  [
    'GET',
    /^\/id$/,
    (call) => {
      sendJson(call.response, 200, idJson(call.pinset))
    },
  ],
  [
    'GET',
    /^\/version$/,
    (call) => {
      sendJson(call.response, 200, { version: call.pinset.version })
    },
  ],
  [
    'GET',
    /^\/peers$/,
    (call) => sendStream(call.response, { lines: [goJson(idJson(call.pinset))] }),
  ],
  [
    'POST',
    /^\/peers$/,
    (call) => {
      sendJson(call.response, 200, idJson(call.pinset))
    },
  ],
  [
    'DELETE',
    /^\/peers\/([^/]+)$/,
    (call) => {
      sendText(call.response, 204, '')
    },
  ],
  [
    'POST',
    /^\/add$/,
    (call) => {
      sendJson(call.response, 200, { name: '', cid: '', size: 0 })
    },
  ],
  ['GET', /^\/allocations$/, allocations],
  ['GET', /^\/allocations\/([^/]+)$/, allocation],
  ['GET', /^\/pins$/, listing],
  ['POST', /^\/pins\/([^/]+)\/recover$/, recover],
  ['POST', /^\/pins\/recover$/, (call) => sendStream(call.response, { lines: [] })],
  ['GET', /^\/pins\/([^/]+)$/, status],
  ['POST', /^\/pins\/([^/]+)$/, pin],
  ['POST', /^\/pins\/(ipfs|ipns|ipld)\/(.+)$/, pinPath],
  ['DELETE', /^\/pins\/([^/]+)$/, unpin],
  ['DELETE', /^\/pins\/(ipfs|ipns|ipld)\/(.+)$/, unpinPath],
  [
    'POST',
    /^\/ipfs\/gc$/,
    (call) => {
      sendJson(call.response, 200, { peer_map: {} })
    },
  ],
  [
    'GET',
    /^\/health\/(graph|alerts|bandwidth)$/,
    (call) => {
      sendJson(call.response, 200, {})
    },
  ],
  [
    'GET',
    /^\/monitor\/metrics(\/[^/]+)?$/,
    (call) => {
      sendJson(call.response, 200, [])
    },
  ],
  [
    'POST',
    /^\/token$/,
    (call) => {
      sendError(call.response, 401, 'unauthorized')
    },
  ],
  [
    'GET',
    /^\/health$/,
    (call) => {
      sendText(call.response, 204, '')
    },
  ],
]

/** Answers a request as the cluster would. */
export function route(pinset: Pinset, request: IncomingMessage, response: ServerResponse): void {
  const { method = '', url = '' } = request
  const [rawPath, rawQuery] = split(url)
  let path: string
  try {
    path = decodeURIComponent(rawPath)
  } catch {
    response.writeHead(400, { 'Content-Type': 'text/plain' }).end('400 Bad Request')
    return
  }
  if (redirect(request, response, path, rawQuery)) return
  for (const [known, pattern, handler] of table) {
    const match = method === known ? pattern.exec(path) : null
    if (match === null) continue
    const call: Call = { pinset, response, query: parseQuery(rawQuery), caught: match.slice(1) }
    void run(handler, call)
    return
  }
  const isKnown = table.some(([, pattern]) => pattern.test(path))
  if (isKnown && !['GET', 'POST', 'DELETE'].includes(method)) {
    response.writeHead(405, { 'Content-Length': 0 }).end()
  } else {
    sendError(response, 404, 'not found')
  }
}

function split(url: string): [string, string] {
  const mark = url.indexOf('?')
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)]
}

/** 307 without the last slash, 301 to the cleaned path: both lose what a client meant. */
function redirect(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: string,
): boolean {
  const tail = query === '' ? '' : `?${query}`
  if (path.endsWith('/')) {
    const location = path === '/' ? '/' : path.slice(0, -1)
    const body = request.method === 'GET' ? `<a href="${location}">Temporary Redirect</a>.\n\n` : ''
    response.writeHead(307, { Location: location + tail, 'Content-Length': body.length }).end(body)
    return true
  }
  if (!/\/\/|\/\.{1,2}(\/|$)/.test(path)) return false
  const cleaned = new URL(path.replace(/\/{2,}/g, '/'), 'http://x').pathname
  response.writeHead(301, { Location: cleaned + tail, 'Content-Length': 0 }).end()
  return true
}

async function run(handler: Handler, call: Call): Promise<void> {
  try {
    await handler(call)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    sendError(call.response, error.status, error.message)
  }
}

const isLocal = ({ query }: Call): boolean => query.get('local') === 'true'

function* records({ pinset }: Call): Generator<string> {
  for (const record of pinset.pins.values()) yield goJson(pinJson(record))
}

function allocations(call: Call): Promise<void> {
  return sendStream(call.response, { lines: records(call) })
}

function allocation(call: Call): void {
  const record = call.pinset.pins.get(decodeCid(call.caught[0] ?? ''))
  if (record === undefined) throw new ApiError(404, 'pin is not part of the pinset')
  sendJson(call.response, 200, pinJson(record))
}

const statusNames = new Set([
  ...['cluster_error', 'pin_error', 'unpin_error', 'error', 'queued', 'pin_queued', 'unpin_queued'],
  ...['pinned', 'pinning', 'unpinning', 'unpinned', 'unexpectedly_unpinned', 'remote', 'sharded'],
])
const groups: Record<string, string[]> = {
  error: ['cluster_error', 'pin_error', 'unpin_error'],
  queued: ['pin_queued', 'unpin_queued'],
}

async function listing(call: Call): Promise<void> {
  const { pinset, query, response } = call
  const cids = query.get('cids') ?? ''
  if (cids !== '') {
    const lines = cids
      .split(',')
      .map((cid) => goJson(statusJson(pinset, decodeCid(cid), isLocal(call))))
    await sendStream(response, { lines })
    return
  }
  const names = (query.get('filter') ?? '').split(',').map((name) => name.trim())
  const wanted = names
    .filter((name) => statusNames.has(name))
    .flatMap((name) => groups[name] ?? [name])
  if (names.some((name) => name !== '') && wanted.length === 0) {
    throw new ApiError(400, 'invalid filter value')
  }
  if (pinset.kuboDown) {
    const reason = 'could not get pinset from IPFS: connection refused'
    await sendStream(response, isLocal(call) ? { lines: [], error: reason } : { lines: [] })
    return
  }
  await sendStream(response, { lines: statusLines(call, wanted) })
}

function* statusLines(call: Call, wanted: string[]): Generator<string> {
  for (const { cid, status } of call.pinset.pins.values()) {
    if (wanted.length > 0 && !wanted.includes(status)) continue
    yield goJson(statusJson(call.pinset, cid, isLocal(call)))
  }
}

/** The trap: a bad option is answered 400, and then the operation's own answer follows. */
function withOptions(
  call: Call,
  act: (options: ReturnType<typeof parseOptions>['options']) => object,
): void {
  const { options, error } = parseOptions(call.query)
  if (error === undefined) {
    sendJson(call.response, 200, act(options))
    return
  }
  const first = goJson({ code: 400, message: error.message })
  sendText(call.response, 400, first + goJson(act(options)))
}

function status(call: Call): void {
  const cid = decodeCid(call.caught[0] ?? '')
  withOptions(call, () => statusJson(call.pinset, cid, isLocal(call)))
}

function recover(call: Call): void {
  status(call)
}

function pin(call: Call): void {
  const cid = decodeCid(call.caught[0] ?? '')
  withOptions(call, (options) => pinJson(call.pinset.pin(cid, options)))
}

function unpin(call: Call): void {
  const cid = decodeCid(call.caught[0] ?? '')
  withOptions(call, () => pinJson(call.pinset.unpin(cid)))
}

/** With nothing after the CID it is the plain route; anything else Kubo would resolve. */
function pinPath(call: Call): void {
  const cid = pathCid(call)
  withOptions(call, (options) => pinJson(call.pinset.pin(cid, options)))
}

function unpinPath(call: Call): void {
  const cid = pathCid(call)
  withOptions(call, () => pinJson(call.pinset.unpin(cid)))
}

function pathCid({ caught: [namespace = '', path = ''] }: Call): string {
  const [root = ''] = path.split('/')
  if (namespace === 'ipns') return 'bafkqaaa'
  try {
    return decodeCid(root)
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace('error decoding Cid: ', '') : ''
    throw new ApiError(400, `error parsing path: invalid path "/${namespace}/${path}": ${reason}`)
  }
}
