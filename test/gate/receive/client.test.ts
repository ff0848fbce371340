/** Who is at the other end, with proxies before us that are trusted and others that are not. */
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { addressOf, clientOf, networkOf, trustOf } from '../../../src/gate/receive/client.js'

/** A request from a peer, with what it says of those before it. */
function requestFrom(peer: string | undefined, forwarded?: string): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: peer })
  const request = new IncomingMessage(socket)
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded
  return request
}

const proxies = ['127.0.0.1', '10.0.0.0/8', '2001:db8:aa::/48']

t.test('from an untrusted peer X-Forwarded-For is ignored', async (t) => {
  for (const trusted of [[], proxies]) {
    const clientIn = clientOf(trusted)
    for (const forged of ['203.0.113.66', '127.0.0.1', '10.1.2.3, 127.0.0.1', 'junk', '']) {
      t.equal(clientIn(requestFrom('198.51.100.7', forged)), '198.51.100.7', forged)
      t.equal(clientIn(requestFrom('2001:db8:bb::7', forged)), '2001:db8:bb::7', forged)
    }
  }
})

t.test('no proxy is trusted unless named, not even this machine', async (t) => {
  t.equal(clientOf([])(requestFrom('127.0.0.1', '203.0.113.66')), '127.0.0.1')
  t.equal(clientOf(['10.0.0.1'])(requestFrom('127.0.0.1', '203.0.113.66')), '127.0.0.1')
})

t.test('behind trusted proxies it is the last address that is not one of them', async (t) => {
  const cases = {
    '203.0.113.5': '203.0.113.5',
    '2001:db8:bb::5': '2001:db8:bb::5',
    '  203.0.113.5  ': '203.0.113.5',
    '203.0.113.5,10.0.0.9': '203.0.113.5',
    '203.0.113.5, 10.0.0.9, 2001:db8:aa::1': '203.0.113.5',
    'forged, 203.0.113.5': '203.0.113.5',
    '1.1.1.1, 203.0.113.5, 10.0.0.9': '203.0.113.5',
    '10.9.9.9, 203.0.113.5': '203.0.113.5',
    '127.0.0.1, 203.0.113.5, 127.0.0.1': '203.0.113.5',
    '::ffff:203.0.113.5': '203.0.113.5',
    '203.0.113.5, ::ffff:10.0.0.9': '203.0.113.5',
    '10.0.0.8, 10.0.0.9': '10.0.0.8',
    '203.0.113.5:4711': '203.0.113.5',
    '203.0.113.5:4711, 10.0.0.9:80': '203.0.113.5',
    '[2001:db8:bb::5]:4711': '2001:db8:bb::5',
    '[2001:db8:bb::5]': '2001:db8:bb::5',
  }
  for (const peer of ['127.0.0.1', '10.255.0.1', '2001:db8:aa:1::1', '::ffff:127.0.0.1']) {
    for (const [forwarded, client] of Object.entries(cases)) {
      t.equal(clientOf(proxies)(requestFrom(peer, forwarded)), client, `${forwarded} by ${peer}`)
    }
  }
})

t.test(
  'a proxy without the header is the client itself; after a bad or empty entry the client is unknown',
  async (t) => {
    const clientIn = clientOf(proxies)
    t.equal(clientIn(requestFrom('10.0.0.1')), '10.0.0.1')
    const garbage = [
      '',
      ' ',
      ',',
      '203.0.113.5,',
      '203.0.113.5, , 10.0.0.9',
      'unknown',
      '-',
      'localhost',
      '203.0.113.5:x',
      '[203.0.113.5',
      '2001:db8::1]:80',
    ]
    const more = ['203.0.113.256', '1.2.3', '_hidden', 'for=1.2.3.4', '<script>', 'x'.repeat(4000)]
    // As the proxy it would be let in wherever the proxy may come from.
    for (const text of [...garbage, ...more, '203.0.113.5, unknown'])
      t.equal(clientIn(requestFrom('10.0.0.1', text)), 'unknown', text.slice(0, 40))
  },
)

t.test('a peer that has disconnected has no address', async (t) => {
  t.equal(clientOf([])(requestFrom(undefined)), 'unknown')
  t.equal(clientOf(proxies)(requestFrom(undefined, '203.0.113.5')), 'unknown')
})

t.test('IPv4 that a dual-stack socket reports is plain IPv4', async (t) => {
  const cases = {
    '::ffff:192.0.2.1': '192.0.2.1',
    '::FFFF:192.0.2.1': '192.0.2.1',
    '192.0.2.1': '192.0.2.1',
    '2001:db8::1': '2001:db8::1',
    '::ffff:1': '::ffff:1',
  }
  for (const [address, plain] of Object.entries(cases)) t.equal(addressOf(address), plain, address)
  t.equal(addressOf(undefined), 'unknown')
})

t.test('one party is an IPv4 address or an IPv6 /64, however they are spelled', async (t) => {
  const cases = {
    '192.0.2.1': '192.0.2.1',
    '::ffff:c000:201': '192.0.2.1',
    '::ffff:192.0.2.1': '192.0.2.1',
    '2001:db8::1': '2001:db8::',
    '2001:DB8:0:0:ffff:ffff:ffff:ffff': '2001:db8::',
    '2001:0db8:0000:0000:1::': '2001:db8::',
    '2001:db8:0:1::1': '2001:db8:0:1::',
    'fe80::1%eth0': 'fe80::',
    '::1': '::',
    unknown: 'unknown',
  }
  for (const [address, network] of Object.entries(cases)) t.equal(networkOf(address), network)
})

t.test('trust is for the networks that were named, and for addresses only', async (t) => {
  const isTrusted = trustOf(proxies)
  for (const address of [
    '127.0.0.1',
    '10.0.0.0',
    '10.255.255.255',
    '2001:db8:aa:ff::1',
    '::ffff:10.1.1.1',
  ]) {
    t.ok(isTrusted(address), address)
  }
  for (const address of [
    '127.0.0.2',
    '11.0.0.1',
    '2001:db8:ab::1',
    '::1',
    'unknown',
    '',
    '10.0.0.1:80',
  ]) {
    t.notOk(isTrusted(address), address)
  }
  t.notOk(trustOf([])('127.0.0.1'))
})
