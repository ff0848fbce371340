/** The public port over TLS, and what a client may say of its own address. */
import { once } from 'node:events'
import { connect } from 'node:tls'
import t from 'tap'
import { RawClient, statuses } from '../../support/raw.js'
import { startGate } from '../../support/start-gate.js'

t.test('HTTP/1.1 is served over TLS 1.2 and 1.3, and nothing older', async (t) => {
  const gate = await startGate(t, { tls: true })
  const shake = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') => {
    const socket = connect({
      port: gate.port,
      host: '127.0.0.1',
      minVersion: version,
      maxVersion: version,
      // Whatever the client's own library forbids must not be what refuses.
      ciphers: 'DEFAULT:@SECLEVEL=0',
      ALPNProtocols: ['h2', 'http/1.1'],
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect')
    const spoken = [socket.getProtocol(), socket.alpnProtocol]
    socket.destroy()
    return spoken
  }
  t.same(await shake('TLSv1.2'), ['TLSv1.2', 'http/1.1'])
  t.same(await shake('TLSv1.3'), ['TLSv1.3', 'http/1.1'])
  await t.rejects(shake('TLSv1.1'))
})

t.test('broken messages over TLS are answered and recorded as without', async (t) => {
  const gate = await startGate(t, { tls: true })
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /id HTTP/1.1') + 'nonsense\r\n\r\n')
  t.same(statuses(await client.all()), [200, 400])
  t.same(gate.lines.map((line) => line.status).sort(), [200, 400])
  t.ok(gate.lines.every((line) => line.client === '127.0.0.1'))
})

t.test('X-Forwarded-For counts only where a trusted proxy connects', async (t) => {
  const headers = { 'x-forwarded-for': '198.51.100.7, 203.0.113.9' }
  const direct = await startGate(t)
  await direct.ask('GET', '/id', { headers })
  t.match(await direct.line(), { client: '127.0.0.1' })

  const behind = await startGate(t, { listen: { trustProxy: ['127.0.0.0/8'] } })
  await behind.ask('GET', '/id', { headers })
  t.match(await behind.line(), { client: '203.0.113.9' })
})
