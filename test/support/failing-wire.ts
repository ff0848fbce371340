/** A wire to a Redis on which chosen commands fail or wait, while all others pass. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface FailingWire {
  readonly url: string
  /** Commands that contain this text fail from now on; undefined: none does. */
  fail(containing: string | undefined, how?: Failure): void
  /** Commands that contain this text, and those behind them, wait until the function is called. */
  hold(containing: string): () => void
}

/** The connection answers no more, the connection ends, or the store answers with an error. */
export type Failure = 'silence' | 'hang-up' | 'error'

export async function startFailingWire(t: Test, port: number): Promise<FailingWire> {
  let failing: { readonly text: string; readonly how: Failure } | undefined
  let held: { readonly text: string; readonly until: Promise<void> } | undefined
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const store = connect(port, '127.0.0.1')
    let isSilent = false
    for (const socket of [client, store]) {
      sockets.add(socket)
      // The other end of the wire ends with it.
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        store.destroy()
      })
    }
    store.pipe(client)
    client.on('data', (command) => {
      if (held !== undefined && command.includes(held.text)) {
        client.pause()
        void held.until.then(() => {
          store.write(command)
          client.resume()
        })
        return
      }
      const isFailing = failing !== undefined && command.includes(failing.text)
      // Answers come in the order of the commands: behind one that is missing there is none.
      isSilent ||= isFailing && failing?.how === 'silence'
      if (isSilent) return
      if (failing === undefined || !isFailing) store.write(command)
      else if (failing.how === 'hang-up') client.destroy()
      else client.write('-OOM command not allowed\r\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fail: (text, how = 'silence') => {
      failing = text === undefined ? undefined : { text, how }
    },
    hold: (text) => {
      let release = (): void => undefined
      held = { text, until: new Promise((resolve) => (release = resolve)) }
      return () => {
        held = undefined
        release()
      }
    },
  }
}
