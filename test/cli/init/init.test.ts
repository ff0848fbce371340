/** The first day on a cluster's host: what init finds, writes, and says is next. */
import { chmodSync, existsSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import type { NetworkInterfaceInfo } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { addressesSeen, publicAddress } from '../../../src/cli/init/public-address.js'
import { loadSettings } from '../../../src/settings/load.js'
import { certificate } from '../../support/certificate.js'
import { run } from '../../support/daemon.js'
import { startFakeCluster } from '../../support/fake-cluster/index.js'
import { pinwarden } from '../../support/pinwarden.js'

async function clusterFor(t: Test) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  return cluster
}

const keyIn = (text: string): string => /pw_[A-Za-z0-9]{49}/.exec(text)?.[0] ?? ''

t.test('the configuration that it writes works: the printed endpoint pins a CID', async (t) => {
  const cluster = await clusterFor(t)
  const path = join(t.testdir({}), 'config.json')
  const { code, stdout } = await pinwarden(
    ...['init', '-c', path, '--host', '127.0.0.1', '--port', '0', '--cluster', cluster.url],
  )
  t.equal(code, 0)
  t.match(stdout, `found the cluster at ${cluster.url}: version 1.1.4, 160TB-SuperNode, 1 peer\n`)
  t.match(stdout, `wrote ${path}: listens on 127.0.0.1:0\n`)
  t.match(stdout, `  1. pinwarden check --config ${path}\n`)
  t.equal(statSync(path).mode & 0o777, 0o640)

  const { admin, ...config } = JSON.parse(readFileSync(path, 'utf8')) as { admin: object }
  t.same(admin, {}, 'the admin listener is on, on loopback')
  const { $schema = '' } = config as { $schema?: string }
  t.match(JSON.parse(readFileSync(new URL($schema), 'utf8')), { title: 'pinwarden configuration' })
  chmodSync(path, 0o640)
  const served = join(t.testdir({ 'config.json': JSON.stringify(config) }), 'config.json')
  const daemon = run(t, ['serve', '--config', served])
  const { url } = await daemon.logged('listening')
  const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
  const answer = await fetch(`${String(url)}/pins/${cid}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`encoder-1:${keyIn(stdout)}`)}` },
  })
  t.equal(answer.status, 200)
  t.ok(cluster.pins.has(cid))
})

t.test('with a certificate it is checked, and the public name is for encoders', async (t) => {
  const cluster = await clusterFor(t)
  const dir = t.testdir({ 'cert.pem': certificate.cert, 'key.pem': certificate.key })
  chmodSync(join(dir, 'key.pem'), 0o640)
  const path = join(dir, 'config.json')
  const { code, stdout, stderr } = await pinwarden(
    ...['init', '-c', path, '--host', '127.0.0.1', '--port', '0', '--cluster', cluster.url],
    ...['--cert', join(dir, 'cert.pem'), '--key', join(dir, 'key.pem')],
    ...['--endpoint', 'https://pins.example.org', '--encoder', 'east'],
  )
  t.equal(code, 0)
  t.match(stdout, /^IPFS_CLUSTER_ENDPOINT=https:\/\/east:pw_\w+@pins\.example\.org$/m)
  t.notMatch(stderr, 'hint')
  const { snapshot, tls } = await loadSettings(path)
  t.equal(tls?.cert.toString(), certificate.cert)
  t.match(snapshot.keyring.find(keyIn(stdout)), { encoder: { name: 'east' } })
})

t.test('without a certificate a public address waits for one, unless told otherwise', async (t) => {
  const dir = t.testdir({})
  const path = join(dir, 'config.json')
  const common = ['-c', path, '--port', '0', '--host', '0.0.0.0', '--cluster', 'http://127.0.0.1:1']
  const waiting = await pinwarden('init', ...common)
  t.equal(waiting.code, 0)
  t.match(waiting.stderr, /warning: no cluster at http:\/\/127\.0\.0\.1:1: nothing listens at 127/)
  t.match(
    waiting.stdout,
    `1. put the certificate and its key as fullchain.pem and privkey.pem into`,
  )
  await t.rejects(loadSettings(path), /fullchain\.pem does not exist/, 'it does not start yet')

  const plain = join(t.testdir({}), 'config.json')
  t.match(await pinwarden('init', ...common.with(1, plain), '--plain-http'), { code: 0 })
  t.match((await loadSettings(plain)).warnings, [/are sent unencrypted/])
})

t.test('impossible arguments are refused, and nothing is written', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const dir = t.testdir({})
  const path = join(dir, 'config.json')
  const cases: readonly (readonly [args: string[], code: number, message: RegExp])[] = [
    [
      ['--port', String(port)],
      1,
      /another program listens on port \d+ of 127\.0\.0\.1: .*\nhint: --host/,
    ],
    [['--port', 'many'], 2, /--port many is not a port/],
    [['--encoder', 'Al:pha'], 1, /encoders\["Al:pha"\]/],
    [['--cluster', 'somewhere'], 1, /cluster\.endpoints\[0\]\.url: /],
    [['--cert', 'c.pem'], 2, /--cert and --key go together/],
    [['--cert', 'c.pem', '--key', 'k.pem'], 1, /listen\.tls\.certFile: .*c\.pem does not exist/],
    [['--endpoint', 'pins.example.org'], 2, /--endpoint is not a base URL/],
    [['-c', join(dir, 'none', 'config.json')], 1, /there is no directory .*none\nhint: /],
  ]
  for (const [args, expected, message] of cases) {
    const { code, stderr } = await pinwarden(
      ...['init', '-c', path, '--host', '127.0.0.1', '--port', '0'],
      ...['--cluster', 'http://127.0.0.1:1', ...args],
    )
    t.equal(code, expected, args.join(' '))
    t.match(stderr, message)
    t.notOk(existsSync(path))
  }
})

t.test('an existing configuration is never touched', async (t) => {
  const dir = t.testdir({ 'config.json': '{ "mine": true }' })
  symlinkSync('nowhere', join(dir, 'dangling'))
  for (const name of ['config.json', 'dangling']) {
    const { code, stdout, stderr } = await pinwarden('init', '-c', join(dir, name))
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, /already exists\nhint: change it/)
  }
  t.equal(readFileSync(join(dir, 'config.json'), 'utf8'), '{ "mine": true }')
  const nowhere = await pinwarden('init', '-c', '/proc/config.json')
  t.match(nowhere, { code: 1, stderr: /error: \/proc is on a file system of the kernel/ })
})

const on = (...addresses: string[]) =>
  ({
    lo: [
      { address: '127.0.0.1', internal: true },
      { address: '::1', internal: true, scopeid: 0 },
    ],
    eth0: addresses.map((address) => ({
      ...{ address, internal: false },
      ...(address.includes(':') && { scopeid: address.startsWith('fe80') ? 2 : 0 }),
    })),
  }) as unknown as NodeJS.Dict<NetworkInterfaceInfo[]>

t.test('the address is the public one, if the host has one', async (t) => {
  t.equal(publicAddress(on('10.0.0.5', '2001:db8::1', '203.0.113.10')), '203.0.113.10')
  t.equal(publicAddress(on('172.17.0.1', 'fe80::1', '2001:db8::1')), '2001:db8::1')
  t.equal(publicAddress(on('fe80::1', 'fd00::1', '192.168.1.2')), '192.168.1.2')
  t.equal(publicAddress(on('100.64.1.1')), '100.64.1.1')
  t.equal(publicAddress(on()), '127.0.0.1')
  const two = on('10.0.0.5', '203.0.113.10')
  t.same(addressesSeen('0.0.0.0', two), ['10.0.0.5', '203.0.113.10'], 'not loopback')
  t.same(addressesSeen('::', two), ['10.0.0.5', '203.0.113.10'])
  t.same(addressesSeen('127.0.0.1', two), [])
  t.same(addressesSeen('203.0.113.10', two), ['203.0.113.10'])
})
