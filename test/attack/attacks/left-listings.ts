/** P2 and P3: listings of every spelling, asked and left. */
import { setTimeout } from 'node:timers/promises'
import type { Attack } from '../attack.js'
import { crowd, open } from '../floods.js'

const states = ['cluster_error', 'pin_error', 'unpin_error', 'pinning', 'unpinned', 'pinned']
const filters = states.flatMap((one) => states.map((other) => `${one},${other}`))

export const attack: Attack = {
  title: 'two encoders ask for listings with 36 filters and leave after 100 ms; each takes 15 s',
  encoders: { a: {}, b: { deny: ['list'] } },
  settings: { limits: { listings: { max: 1_000_000, windowSeconds: 60 } } },
  cluster: (cluster) => {
    cluster.addMany(1000)
    cluster.behave({ path: /^\/pins\?filter=(?!pin_queued)/ }, { kind: 'delay', ms: 15_000 })
  },
  run: (target, signal) =>
    crowd(filters.length, signal, async (number) => {
      const key = number % 2 === 0 ? target.keys.a : target.keys.b
      const socket = open(target)
      const head = `Host: x\r\nAuthorization: Bearer ${key ?? ''}\r\n\r\n`
      socket.write(`GET /pins?filter=${filters[number] ?? ''} HTTP/1.1\r\n${head}`)
      await setTimeout(100)
      socket.destroy()
    }),
}
