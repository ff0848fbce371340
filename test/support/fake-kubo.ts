/** A faithful fake of the parts of Kubo's RPC that the gate asks for (cluster API, §10). */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface FakeKubo {
  readonly url: string
  /** What it was asked, such as `pin/add Qm…`, without the questions whether it is up. */
  readonly asked: readonly string[]
  /** Recursive pins. */
  readonly pins: Set<string>
  /** Pins in progress, which the test ends. */
  readonly working: ReadonlyMap<string, Working>
  /** `now`: it already has everything; `work`: the test says when. */
  mode: 'now' | 'work' | 'hangup' | 'silent'
  /** Command → what it answers with, whatever is true. */
  readonly says: Map<string, string>
  /** Resolves when it was asked this. */
  wasAsked(what: string): Promise<void>
  /** Resolves when this many are worked on. */
  worksOn(count: number): Promise<void>
}

export interface Working {
  /** It has so many blocks now. */
  progress(blocks: number): void
  done(): void
  fail(message: string): void
  /** Resolves when the client has hung up. */
  readonly abandoned: Promise<unknown>
}

export async function startFakeKubo(
  t: Pick<Test, 'teardown'>,
  id = '12D3KooWFallback',
): Promise<FakeKubo> {
  const events = new EventEmitter()
  const asked: string[] = []
  const working = new Map<string, Working>()
  const kubo: Omit<FakeKubo, 'url'> = {
    asked,
    working,
    pins: new Set(),
    mode: 'now',
    says: new Map(),
    wasAsked: async (what) => {
      while (!asked.includes(what)) await once(events, 'asked')
    },
    worksOn: async (count) => {
      while (working.size < count) await once(events, 'working')
    },
  }
  const server = createServer((request, reply) => {
    if (request.method !== 'POST') {
      text(reply, 405, '405 - Method Not Allowed')
      return
    }
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://kubo')
    const command = pathname.replace('/api/v0/', '')
    const cid = searchParams.get('arg') ?? ''
    if (command !== 'version') asked.push(`${command} ${cid}`.trim())
    events.emit('asked')
    if (kubo.mode === 'hangup') request.socket.destroy()
    else if (kubo.mode !== 'silent') answer(command, cid, request, reply)
  })

  const answer = (
    command: string,
    cid: string,
    request: IncomingMessage,
    reply: ServerResponse,
  ) => {
    const said = kubo.says.get(command)
    if (said !== undefined) text(reply, 200, said)
    else if (command === 'id') json(reply, { ID: id, AgentVersion: 'kubo/0.39.0/' })
    else if (command === 'version') json(reply, { Version: '0.39.0' })
    else if (command === 'pin/ls') {
      if (kubo.pins.has(cid)) json(reply, { Keys: { [cid]: { Type: 'recursive', Name: '' } } })
      else error(reply, `path '${cid}' is not pinned`)
    } else if (command === 'pin/rm') {
      if (kubo.pins.delete(cid)) json(reply, { Pins: [cid] })
      else error(reply, 'not pinned or pinned indirectly')
    } else if (command === 'pin/add') add(cid, request, reply)
    else text(reply, 404, '404 page not found')
  }

  const add = (cid: string, request: IncomingMessage, reply: ServerResponse) => {
    const headers = { 'content-type': 'application/json', trailer: 'X-Stream-Error' }
    reply.writeHead(200, headers)
    const line = (value: object) => reply.write(`${JSON.stringify(value)}\n`)
    const end = (): void => {
      working.delete(cid)
      reply.end()
    }
    const done = (): void => {
      kubo.pins.add(cid)
      line({ Pins: [cid] })
      end()
    }
    if (kubo.mode === 'now') {
      done()
      return
    }
    line({})
    const abandoned = once(request.socket, 'close').then(() => working.delete(cid))
    const progress = (blocks: number) => line({ Progress: blocks })
    const fail = (message: string): void => {
      reply.addTrailers({ 'X-Stream-Error': message })
      end()
    }
    working.set(cid, { progress, done, fail, abandoned })
    events.emit('working')
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return Object.assign(kubo, { url: `http://127.0.0.1:${port}` })
}

function json(reply: ServerResponse, value: object, status = 200): void {
  reply.writeHead(status, { 'content-type': 'application/json' })
  reply.end(`${JSON.stringify(value)}\n`)
}

function error(reply: ServerResponse, message: string): void {
  json(reply, { Message: message, Code: 0, Type: 'error' }, 500)
}

function text(reply: ServerResponse, status: number, body: string): void {
  reply.writeHead(status, { 'content-type': 'text/plain' })
  reply.end(`${body}\n`)
}
