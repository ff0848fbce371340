/** Names are judged by where they lead: also `localhost`, which a hosts file may lead anywhere. */
import dns from 'node:dns'
import t, { type Test } from 'tap'
import { addressesOf, refusePlainHttp } from '../../src/daemon/plain-http.js'
import { ConfigError } from '../../src/settings/problems.js'
import { startAdmin } from '../admin/start-admin.js'
import { startGate } from '../support/start-gate.js'

const plain = { allowPlainHttp: false }

t.test('without TLS each address must be of this machine alone', async (t) => {
  const judge = (...addresses: string[]) => {
    refusePlainHttp(plain, addresses, false)
  }
  for (const good of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1'])
    t.doesNotThrow(() => {
      judge('127.0.0.1', good)
    }, good)
  const bad = ['0.0.0.0', '::', '::ffff:203.0.113.7', '::ffff:0.0.0.0', '203.0.113.7', '10.0.0.1']
  for (const address of [...bad, 'fe80::1%eth0', '2001:db8::1', '::127.0.0.1'])
    t.throws(() => {
      judge('127.0.0.1', address)
    }, ConfigError)
  refusePlainHttp({ allowPlainHttp: true }, bad, true)
  t.same(await addressesOf('::1'), ['::1'])
  t.same(await addressesOf('nowhere.invalid'), [], 'listening itself says what is wrong with it')
})

type Done = (error: null, found: unknown, family?: number) => void

/** As a hosts file may have it. */
function leads(t: Test, name: string, address: string): void {
  const { lookup } = dns
  const found = { address, family: 4 }
  const value = (host: string, options: { all?: boolean } | Done, done: Done) => {
    if (host !== name) lookup(host, options as never, done as never)
    else if (typeof options === 'function') options(null, address, 4)
    else if (options.all === true) done(null, [found])
    else done(null, address, 4)
  }
  t.intercept(dns, 'lookup', { value })
}

t.test('a localhost that leads to a public address is refused by the gate', async (t) => {
  leads(t, 'localhost', '0.0.0.0')
  await t.rejects(startGate(t, { listen: { host: 'localhost' } }), {
    message: /^listen.host: a name that leads to 0.0.0.0, without TLS; use /,
  })
  const allowed = await startGate(t, { listen: { host: 'localhost', allowPlainHttp: true } })
  const warning = 'listen.allowPlainHttp: keys, CIDs and answers are sent unencrypted'
  t.match(await allowed.logged('the settings have a warning'), { level: 'warn', warning })
})

t.test('and by the admin listener, before it answers a request', async (t) => {
  leads(t, 'localhost', '0.0.0.0')
  const address = { host: 'localhost', port: 0 }
  await t.rejects(startAdmin(t, { address }), {
    message: /^admin.host: a name that leads to 0.0.0.0; use a loopback address/,
  })
  const { at } = await startAdmin(t, { address: { ...address, allowRemote: true } })
  t.match(at, /^http:\/\/0\.0\.0\.0:/)
})
