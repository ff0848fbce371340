/** Unix sockets: a cluster behind one, and the daemon's own for health and for changes of pins. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { generatedCid, startFakeCluster } from '../../support/fake-cluster/index.js'
import { say } from '../host.js'
import { startInstalled } from '../installed-daemon.js'
import type { Teardown } from '../steps.js'

export async function sockets(place: string, t: Teardown): Promise<string> {
  const directory = join(place, 'sockets')
  mkdirSync(directory)
  const [cluster, admin, control] = ['cluster', 'admin', 'control'].map((name) =>
    join(directory, `${name}.sock`),
  )
  const fake = await startFakeCluster({ socket: cluster ?? '' })
  t.teardown(() => fake.close())
  // The daemon's user connects to it.
  chmodSync(cluster ?? '', 0o777)
  const { configPath, ask, stop } = await startInstalled(directory, {
    cluster: { endpoints: [{ url: fake.url, socket: cluster }] },
    admin: { socket: admin },
    control: { socket: control },
  })
  const cid = generatedCid(1)
  assert.equal((await ask('POST', `/pins/${cid}`)).status, 200)
  assert(fake.pins.has(cid))
  for (const socket of [admin, control])
    assert.equal(statSync(socket ?? '').mode & 0o777, 0o600, `${socket ?? ''} is the daemon's own`)
  assert.match(await say('pinwarden', 'status', '--config', configPath), /^ready +yes$/m)
  assert.match(await say('pinwarden', 'pins', 'show', cid, '--config', configPath), /alpha/)
  await stop()
  return 'a pin to the cluster, status and pins show, each over its socket'
}
