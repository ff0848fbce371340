/** Connections whose socket is changed before the HTTP client gets it. */
import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'

type Connector = buildConnector.connector

/** @param prepare called once for each new socket */
export const preparing =
  (connect: Connector, prepare: (socket: Socket) => void): Connector =>
  (options, callback) => {
    connect(options, (...[error, socket]: Parameters<buildConnector.Callback>) => {
      if (error !== null) callback(error, null)
      else {
        prepare(socket)
        callback(null, socket)
      }
    })
  }

/** Writes pipelined requests of one turn together, as each write is a system call. */
export const gatheringWrites = (connect: Connector): Connector => preparing(connect, gather)

/** Requests of one turn of the event loop are written at its end. */
function gather(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  let isGathering = false
  const goOut = (): void => {
    isGathering = false
    socket.uncork()
  }
  socket.write = (...args: unknown[]): boolean => {
    if (!isGathering) {
      isGathering = true
      socket.cork()
      setImmediate(goOut)
    }
    return write(...args)
  }
}
