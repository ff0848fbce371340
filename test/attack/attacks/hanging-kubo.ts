/** P4: statuses that Kubo never answers, asked by two encoders as often as they may. */
import { generatedCid } from '../../support/fake-cluster/index.js'
import type { Attack } from '../attack.js'
import { ask, crowd, open } from '../floods.js'

const cids = Array.from({ length: 64 }, (_, index) => generatedCid(index))

export const attack: Attack = {
  title: 'Kubo hangs, and two encoders ask for 32 statuses each, all the time',
  encoders: { a: {}, b: {} },
  cluster: (cluster) => {
    cluster.behave({ method: 'GET', path: new RegExp(cids.join('|')) }, { kind: 'stall' })
  },
  run: (target, signal) =>
    crowd(cids.length, signal, (number) => {
      const key = number % 2 === 0 ? target.keys.a : target.keys.b
      const head = `Host: x\r\nAuthorization: Bearer ${key ?? ''}\r\n\r\n`
      return ask(open(target), `GET /pins/${cids[number] ?? ''} HTTP/1.1\r\n${head}`)
    }),
}
