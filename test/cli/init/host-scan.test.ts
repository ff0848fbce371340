/** What answers on a cluster's host, and which of its ports are open. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { findCluster, findOpenPorts } from '../../../src/cli/init/host-scan.js'
import { startFakeCluster } from '../../support/fake-cluster/index.js'

/** A server that answers everything with one status, and remembers what it was asked. */
async function answering(t: Test, status: number, body = '{}') {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
    response.writeHead(status).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, asked }
}

t.test('a cluster reports its version, its name and the number of live peers', async (t) => {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  t.same(await findCluster(cluster.url), {
    version: '1.1.4',
    peername: '160TB-SuperNode',
    peers: 1,
  })
  t.same(
    cluster.requests.map(({ method, target }) => `${method} ${target}`),
    ['GET /version', 'GET /id'],
  )
})

t.test('without a cluster, the scan says why', async (t) => {
  const closed = await startFakeCluster({ username: 'u', password: 'p' })
  t.teardown(() => closed.close())
  t.match(await findCluster(closed.url), /asks for a credential/)
  for (const [status, body] of [
    [200, '<html>'],
    [200, '{}'],
    [200, 'null'],
    [404, '{"version":"1"}'],
  ] as const) {
    const { port } = await answering(t, status, body)
    const found = await findCluster(`http://127.0.0.1:${port}`)
    t.equal(found, 'what answers is not a cluster', body)
  }
  const gone = await startFakeCluster()
  await gone.close()
  t.match(await findCluster(gone.url), /^nothing listens at .* \(is ipfs-cluster running\?\)$/)
})

t.test(
  'a port that answers without a credential is open, one that asks for a credential is not',
  async (t) => {
    const [open, missing, asking] = [
      await answering(t, 200),
      await answering(t, 404),
      await answering(t, 401),
    ]
    const found = await findOpenPorts('127.0.0.1', {
      rest: open.port,
      proxy: missing.port,
      pinning: asking.port,
    })
    t.match(found, [
      { url: `http://127.0.0.1:${open.port}`, what: /REST API/ },
      { url: `http://127.0.0.1:${missing.port}`, what: /IPFS proxy/ },
    ])
    t.same(open.asked, ['GET /version'])
    t.same(missing.asked, ['POST /api/v0/version'])
    t.equal(asking.asked.length, 1)
    const gone = await startFakeCluster()
    await gone.close()
    t.same(await findOpenPorts('127.0.0.1', { rest: Number(new URL(gone.url).port) }), [])
  },
)
