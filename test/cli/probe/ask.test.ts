/** How `pinwarden probe` keeps its connection. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { Asker } from '../../../src/cli/probe/ask.js'
import { readEncoderUrl } from '../../../src/cli/probe/encoder-url.js'
import { generateKey } from '../../../src/settings/keyring/key.js'

t.test('all requests go over one connection, which is closed at the end', async (t) => {
  let connections = 0
  const server = createServer((_request, response) => {
    response.writeHead(503).end('{"code":503,"message":"down"}')
  })
  const closed = new Promise((resolve) => {
    server.on('connection', (socket) => {
      connections += 1
      socket.once('close', resolve)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const endpoint = readEncoderUrl(`http://alpha:${generateKey()}@127.0.0.1:${port}`)
  if (!('base' in endpoint)) throw new Error('it is an endpoint')

  const asker = new Asker(endpoint, undefined, undefined)
  for (const path of ['/id', '/pins', '/id'])
    t.match(await asker.ask('GET', path), { status: 503, json: { message: 'down' } })
  t.equal(connections, 1)
  asker.close()
  await closed
})
