/** The neighbours: a proxy in front that is believed, a cluster behind TLS and a password, a scrape. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certificate } from '../../support/certificate.js'
import { startFakeCluster } from '../../support/fake-cluster/index.js'
import { startInstalled } from '../installed-daemon.js'
import type { Teardown } from '../steps.js'

const client = '192.0.2.7'

export async function neighbours(place: string, t: Teardown): Promise<string> {
  const directory = join(place, 'neighbours')
  mkdirSync(directory)
  writeFileSync(join(directory, 'ca.pem'), certificate.cert)
  writeFileSync(join(directory, 'password'), 'of the cluster\n')
  const login = { username: 'gate', password: 'of the cluster' }
  const cluster = await startFakeCluster({ tls: certificate, ...login })
  t.teardown(() => cluster.close())
  const { daemon, ask, stop } = await startInstalled(directory, {
    listen: { host: '127.0.0.1', port: 0, lingerMs: 0, trustProxy: ['127.0.0.1'] },
    admin: { port: 0 },
    cluster: {
      endpoints: [
        { url: cluster.url, username: 'gate', passwordFile: 'password', caFile: 'ca.pem' },
      ],
    },
  })
  assert.equal((await ask('GET', '/id', { 'x-forwarded-for': client })).status, 200)
  const { admin } = await daemon.logged('listening')
  const metrics = await fetch(`${String(admin)}/metrics`).then((answer) => answer.text())
  assert.match(metrics, /^pinwarden_requests_total\{.*code="2xx"\} 1$/m)
  await stop()
  assert(daemon.lines().some((line) => line.client === client))
  return "the client's own address, an answer of a cluster over TLS, a scrape of it"
}
