/** A gate that is killed between reading the holders of a pin and writing it harms none of them. */
import t from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { startDaemon } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

t.test('kill -9 between read and write leaves the record as it was', async (t) => {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const keys = { alpha: generateKey(), beta: generateKey() }
  const config = {
    listen: { port: 0 },
    cluster: { endpoints: [{ url: cluster.url }] },
    encoders: Object.fromEntries(
      Object.entries(keys).map(([name, key]) => [
        name,
        { keys: [{ id: 'k', sha256: digestOf(key) }] },
      ]),
    ),
  }
  const ask = (url: string, method: string, key: string) =>
    fetch(`${url}/pins/${cid}`, { method, headers: { authorization: `Bearer ${key}` } })
  const first = await startDaemon(t, config)
  t.equal((await ask(first.url, 'POST', keys.alpha)).status, 200)
  const before = JSON.stringify([...(cluster.pins.get(cid)?.metadata ?? [])])
  for (const [method, key] of [
    ['POST', keys.beta],
    ['DELETE', keys.alpha],
  ] as const) {
    const { daemon, url } = await startDaemon(t, config)
    cluster.behave({ method, path: `/pins/${cid}` }, { kind: 'stall' }, 1)
    const lost = ask(url, method, key).catch(() => 'lost')
    while ((await cluster.nextRequest()).method !== method);
    daemon.process.kill('SIGKILL')
    await daemon.exited
    t.equal(await lost, 'lost')
    await cluster.connectionsClosed()
    t.equal(JSON.stringify([...(cluster.pins.get(cid)?.metadata ?? [])]), before, method)
  }
  const again = await startDaemon(t, config)
  t.equal((await ask(again.url, 'POST', keys.beta)).status, 200)
  t.equal(cluster.pins.get(cid)?.metadata?.size, 2)
  t.equal((await ask(again.url, 'DELETE', keys.alpha)).status, 200)
  t.equal(cluster.pins.get(cid)?.metadata?.size, 1)
})
