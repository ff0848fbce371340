/** Takes plain HTTP for the gate, as nginx on the same machine would: for a first curl. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { DemoError } from './options.js'

export interface PlainFront extends AsyncDisposable {
  readonly url: string
  /** From now on; earlier requests are refused. */
  leadTo(gateUrl: string): void
}

/** @throws DemoError when the port is taken */
export async function openPlainFront(port: number): Promise<PlainFront> {
  const sockets = new Set<Socket>()
  let gate: URL | undefined
  const server = createServer((client) => {
    if (gate === undefined) return void client.destroy()
    const upstream = connect({
      host: gate.hostname,
      port: Number(gate.port),
      // The certificate is the demo's own.
      rejectUnauthorized: false,
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.pipe(other)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error
    const why = code === 'EACCES' ? 'may not be used' : 'is taken, perhaps by another demo'
    throw new DemoError(`port ${port} ${why}; try PORT=0 npm run demo`, 1)
  }
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${bound}`,
    leadTo: (gateUrl) => (gate = new URL(gateUrl)),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
