/** P5: all places held by connections that never authenticate. */
import type { Attack } from '../attack.js'
import { addressOf, ask, crowd, open } from '../floods.js'

export const attack: Attack = {
  title: '24 addresses × 128 connections, each asks once without a credential and stays',
  run: (target, signal) =>
    crowd(24 * 128, signal, (number) => {
      const socket = open(target, { localAddress: addressOf(number % 24) })
      return ask(socket, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    }),
}
