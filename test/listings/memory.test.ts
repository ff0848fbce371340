/** A daemon of its own, so that its memory is the gate's alone. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { startDaemon } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { head, RawClient } from '../support/raw.js'

/** From /proc, in bytes: what is resident now, and the most that ever was. */
function memoryOf(pid: number | undefined): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid ?? 0}/status`, 'utf8')
  const kilobytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  return { now: kilobytes('VmRSS') * 1024, peak: kilobytes('VmHWM') * 1024 }
}

const isLinux = process.platform === 'linux'

t.test(
  'a listing of 200 MB read by a slow client leaves memory flat',
  { skip: isLinux ? false : 'memory is read from /proc' },
  async (t) => {
    const cluster = await startFakeCluster()
    t.teardown(() => cluster.close())
    const lines = 200_000
    cluster.behave({ path: '/pins' }, { kind: 'stream', lines, bytes: 1000, chunkBytes: 16_384 })
    const key = generateKey()
    const { daemon, url } = await startDaemon(t, {
      listen: { port: 0 },
      cluster: { endpoints: [{ url: cluster.url }] },
      encoders: { alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }] } },
    })
    const authorization = `Bearer ${key}`
    await fetch(`${url}/id`, { headers: { authorization } })

    const before = memoryOf(daemon.process.pid).now
    const client = await RawClient.to(url, { keep: false })
    let received = 0
    client.socket.on('data', (chunk: Buffer) => {
      received += chunk.length
      // Slow: one chunk a millisecond, so that the cluster has to wait for it.
      client.socket.pause()
      setTimeout(() => client.socket.resume(), 1)
    })
    client.write(
      head('GET /pins HTTP/1.1', 'Host: x', 'Connection: close', `Authorization: ${authorization}`),
    )
    await client.closed
    const grown = memoryOf(daemon.process.pid).peak - before
    t.comment(`${Math.round(received / 1e6)} MB, memory grew by ${(grown / 1e6).toFixed(1)} MB`)
    t.ok(received > lines * 1000, 'all of it arrived')
    t.ok(grown < 64e6, 'memory grew by less than 64 MB')
  },
)
