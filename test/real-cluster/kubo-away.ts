/** Kubo is down, hangs or is slow: unknown is neither unfinished nor empty. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { type Host, startHost } from './host.js'
import { must, scenario } from './scenario.js'
import { eventually } from './settled.js'

t.setTimeout(600_000)

async function pinned(host: Host, count: number): Promise<string[]> {
  const cids: string[] = []
  for (let index = 0; index < count; index++) {
    const cid = await host.kubos[0].add(`content ${index}`, 1)
    cids.push(cid)
    const { status } = await host.gate.ask('POST', `/pins/${cid}`)
    must(status === 200, `POST: ${status}`)
  }
  for (const cid of cids)
    await eventually(`${cid} is pinned`, async () => {
      const { text } = await host.gate.ask('GET', `/pins/${cid}`)
      return text.includes('"status":"pinned"') ? true : undefined
    })
  return cids
}

const hasFormer = async (host: Host, cid: string) =>
  Object.keys((await host.record(cid))?.metadata ?? {}).some((key) =>
    key.startsWith('pinwarden.former.'),
  )

await scenario(t, 'L22 Kubo is stopped: what is unpinned can be taken back', 120, async (t) => {
  const host = await startHost(t, { config: { unpin: { graceSeconds: 3600 } } })
  const cids = await pinned(host, 12)
  await host.kubos[0].stop()
  for (const cid of cids) {
    const { status } = await host.gate.ask('DELETE', `/pins/${cid}`)
    must(status === 200, `DELETE: ${status}`)
  }
  for (const cid of cids) must(await hasFormer(host, cid), `${cid} is gone for good`)
  for (const cid of cids) {
    const { code, stderr } = await host.gate.command('pins', 'restore', cid)
    must(code === 0, `pins restore: ${stderr}`)
  }
  const lost = await host.lacking(cids)
  must(lost.length === 0, `${lost.length} were not restored`)
  return '12 of 12 kept for their grace, and restored'
})

await scenario(t, 'L22 Kubo hangs: what is unpinned can be taken back', 200, async (t) => {
  const host = await startHost(t, { config: { unpin: { graceSeconds: 3600 } } })
  const cids = await pinned(host, 4)
  host.kubos[0].freeze()
  const times: number[] = []
  for (const cid of cids) {
    const startMs = performance.now()
    const { status } = await host.gate.ask('DELETE', `/pins/${cid}`)
    must(status === 200, `DELETE: ${status}`)
    times.push(performance.now() - startMs)
  }
  for (const cid of cids) must(await hasFormer(host, cid), `${cid} is gone for good`)
  host.kubos[0].thaw()
  return `4 of 4 kept for their grace; the longest took ${(Math.max(...times) / 1000).toFixed(1)} s`
})

await scenario(t, 'P8 Kubo is away: no listing says that there are no pins', 120, async (t) => {
  const host = await startHost(t)
  const cids = await pinned(host, 5)
  await host.kubos[0].stop()
  const seen = new Set<string>()
  for (const query of ['', '?filter=pinned', '?owner=me', '?local=true']) {
    for (let round = 0; round < 2; round++) {
      const { status, text } = await host.gate.ask('GET', `/pins${query}`)
      const isWhole = status === 200 && text.trim().split('\n').length === cids.length
      must(status >= 500 || isWhole, `GET /pins${query}: ${status} ${text.slice(0, 200)}`)
      seen.add(`${query} ${status}`)
    }
  }
  await host.kubos[0].comeBack()
  await eventually('the listing is whole again', async () => {
    const { status, text } = await host.gate.ask('GET', '/pins')
    return status === 200 && cids.every((cid) => text.includes(cid)) ? true : undefined
  })
  return `answers: ${[...seen].join(', ')}; whole when Kubo is back`
})

/** Hands on what comes to a port of its own, so many milliseconds late. */
class SlowWay {
  delayMs = 0

  async to(t: Test, port: number): Promise<number> {
    const server = createServer((near) => {
      const far = connect(port, '127.0.0.1')
      near.on('data', (chunk) => {
        void delay(this.delayMs).then(() => far.writable && far.write(chunk))
      })
      far.pipe(near)
      near.on('error', () => far.destroy()).on('close', () => far.destroy())
      far.on('error', () => near.destroy())
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    return (server.address() as AddressInfo).port
  }
}

await scenario(t, 'P8 Kubo is slow, then away: a listing is whole or an error', 240, async (t) => {
  const way = new SlowWay()
  const host = await startHost(t, {
    kuboPort: (port) => way.to(t, port),
    config: { cluster: { idTimeoutMs: 1000 }, listing: { maxAgeMs: 60_000 } },
  })
  const cids = await pinned(host, 5)
  const seen = new Set<string>()
  const list = async (when: string, query: string) => {
    const { status, text } = await host.gate.ask('GET', `/pins${query}`)
    const isWhole = status === 200 && text.trim().split('\n').length === cids.length
    must(status >= 500 || isWhole, `${when}: GET /pins${query}: ${status} ${text.slice(0, 200)}`)
    seen.add(`${when} ${status}`)
  }
  way.delayMs = 2500
  for (const query of ['', '?filter=pinned']) await list('slow', query)
  await host.gate.stop()
  await host.gate.start()
  for (const query of ['', '?filter=pinned']) await list('slow after a start', query)
  await host.kubos[0].stop()
  await host.gate.stop()
  await host.gate.start()
  for (const query of ['?filter=pinned', '', '?filter=pin_error,pinned'])
    await list('slow and away', query)
  await host.kubos[0].comeBack()
  way.delayMs = 0
  await eventually('the listing is whole again', async () => {
    const { status, text } = await host.gate.ask('GET', '/pins')
    return status === 200 && cids.every((cid) => text.includes(cid)) ? true : undefined
  })
  return `answers: ${[...seen].join(', ')}; whole at once when Kubo is back`
})
