/** The store: two installed gates share a budget through a real redis-server. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { startFakeCluster } from '../../support/fake-cluster/index.js'
import { noRedis, TestRedis } from '../../support/redis.js'
import { startInstalled } from '../installed-daemon.js'
import type { Teardown } from '../steps.js'

const max = 3

export async function store(place: string, t: Teardown): Promise<string> {
  if (noRedis !== false) return `not tested here: ${noRedis}`
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const redis = await TestRedis.open()
  t.teardown(() => redis.kill())
  const config = {
    cluster: { endpoints: [{ url: cluster.url }] },
    store: { redis: redis.url, timeoutMs: 1000 },
    limits: { reads: { max, windowSeconds: 3600 } },
  }
  const one = await startInstalled(join(place, 'store-1'), config)
  const other = await startInstalled(join(place, 'store-2'), config, one.key)
  const statuses: number[] = []
  for (let count = 0; count < max; count++) statuses.push((await one.ask('GET', '/id')).status)
  const beyond = await other.ask('GET', '/id')
  assert.deepEqual(statuses, Array<number>(max).fill(200))
  assert.equal(beyond.status, 429, 'the other gate knows what this one counted')
  await Promise.all([one.stop(), other.stop()])
  return `${max} reads at one gate, 429 at the other`
}
