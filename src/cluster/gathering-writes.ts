/** Connections that write the requests of one turn together: each write is a system call. */
import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'

type Connector = buildConnector.connector

/** Only for requests that are sent one behind the other. */
export const gatheringWrites =
  (connect: Connector): Connector =>
  (options, callback) => {
    connect(options, (...[error, socket]: Parameters<buildConnector.Callback>) => {
      if (error !== null) callback(error, null)
      else {
        gather(socket)
        callback(null, socket)
      }
    })
  }

/** What one turn of the event loop asks is written at its end. */
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
