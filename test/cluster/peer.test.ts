/** The cluster skips bad peer IDs, and pins on past a bad address: neither may get there. */
import { base32 } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import { decode } from 'multiformats/hashes/digest'
import t from 'tap'
import { isDialableAddress, isPeerId } from '../../src/cluster/peer.js'

const id = '12D3KooWG395pxKwfAyFr4uzVdKNTWNXucp3v9yVGucYKZ5PhBC4'
const rsaId = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const digest = decode(base58btc.baseDecode(id))
const key = CID.createV1(0x72, digest)
const notKey = CID.createV1(0x73, digest)

t.test('peer IDs are read in the spellings that libp2p prints', async (t) => {
  t.ok(isPeerId(id))
  t.ok(isPeerId(rsaId))
  t.ok(isPeerId(key.toString(base36)), key.toString(base36))
  t.ok(isPeerId(key.toString(base32)), key.toString(base32))
})

t.test('text that only looks like a peer ID is refused', async (t) => {
  const cases = {
    'empty text': '',
    'a word': 'peer',
    'a prefix alone': '12D3',
    'a peer ID cut short': id.slice(0, -2),
    'a peer ID with more behind it': `${id}1111`,
    'a character that base58 lacks': `${id.slice(0, -1)}0`,
    'a character far from base58': `${id.slice(0, -1)}Ж`,
    'a space before': ` ${id}`,
    'a line feed after': `${id}\n`,
    'a multibase prefix': `z${id}`,
    'a CID of something else': notKey.toString(base32),
    'the same in base36': notKey.toString(base36),
    'the CID of a file': CID.parse(rsaId).toV1().toString(),
    'a key cut short': key.toString(base36).slice(0, -3),
    'too long a text': `Qm${'1'.repeat(200)}`,
  }
  for (const [what, text] of Object.entries(cases)) t.notOk(isPeerId(text), what)
})

t.test('addresses that Kubo can dial are accepted', async (t) => {
  const addresses = [
    `/ip4/203.0.113.10/tcp/4001/p2p/${id}`,
    `/ip4/203.0.113.10/udp/4001/quic-v1/p2p/${id}`,
    `/ip4/203.0.113.10/udp/4001/quic-v1/webtransport/p2p/${id}`,
    `/ip6/2001:db8::1/tcp/4001/p2p/${id}`,
    `/ip6/::ffff:192.0.2.1/tcp/4001/p2p/${id}`,
    `/dns4/peer.example/tcp/443/tls/ws/p2p/${rsaId}`,
    `/dns6/peer.example/tcp/443/wss/p2p/${id}`,
    `/dns/peer.example./tcp/443/p2p/${key.toString(base36)}`,
    `/dnsaddr/bootstrap.example/p2p/${id}`,
  ]
  for (const address of addresses) t.ok(isDialableAddress(address), address)
})

t.test('addresses that Go cannot read, or that the gate does not know, are refused', async (t) => {
  const addresses = [
    '',
    '/',
    id,
    `/p2p/${id}`,
    '/ip4/203.0.113.10/tcp/4001',
    '/ip4/203.0.113.10/tcp/4001/p2p/',
    '/ip4/203.0.113.10/tcp/4001/p2p/nobody',
    `/ip4/203.0.113.10/tcp/4001/p2p/${id}/`,
    `/ip4/203.0.113.10/tcp/4001/p2p/${id}/p2p-circuit`,
    `/ip4/203.0.113.10/tcp/4001/p2p/${id}/p2p-circuit/p2p/${id}`,
    `ip4/203.0.113.10/tcp/4001/p2p/${id}`,
    `//ip4/203.0.113.10/tcp/4001/p2p/${id}`,
    `/ip4/203.0.113.10//tcp/4001/p2p/${id}`,
    `/ip4/203.0.113.256/tcp/4001/p2p/${id}`,
    `/ip4/203.0.113.010/tcp/4001/p2p/${id}`,
    `/ip4/203.0.113/tcp/4001/p2p/${id}`,
    `/ip4/2001:db8::1/tcp/4001/p2p/${id}`,
    `/ip6/203.0.113.10/tcp/4001/p2p/${id}`,
    `/ip6/fe80::1%eth0/tcp/4001/p2p/${id}`,
    `/ip4/203.0.113.10/tcp/65536/p2p/${id}`,
    `/ip4/203.0.113.10/tcp/-1/p2p/${id}`,
    `/ip4/203.0.113.10/tcp/http/p2p/${id}`,
    `/ip4/203.0.113.10/tcp/p2p/${id}`,
    `/ip4/203.0.113.10/sctp/4001/p2p/${id}`,
    `/dns4/peer example/tcp/443/p2p/${id}`,
    `/dns4/-peer.example-/../tcp/443/p2p/${id}`,
    `/dns4/${'a'.repeat(254)}/tcp/443/p2p/${id}`,
    `/unix/run/docker.sock/p2p/${id}`,
    `/IP4/203.0.113.10/tcp/4001/p2p/${id}`,
    `/ip4/203.0.113.10/tcp/4001/ipfs/${id}`,
    `/ip4/203.0.113.10/tcp/4001/p2p/${id}\n`,
    `http://203.0.113.10:4001/p2p/${id}`,
  ]
  for (const address of addresses) t.notOk(isDialableAddress(address), address)
})
