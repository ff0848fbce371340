/** The other processes of an attack: the cluster, or the attackers, as the first message says. */
import { once } from 'node:events'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { loadAttack, type Order } from './attack.js'

const asked = once(process, 'message') as Promise<[Order]>
process.send?.('ready')
const [{ name, target }] = await asked
const attack = await loadAttack(name)
const over = new AbortController()
process.once('disconnect', () => {
  over.abort()
  // What hangs must not keep it alive.
  process.exit(0)
})
if (target === undefined) {
  const cluster = await startFakeCluster()
  attack.cluster?.(cluster)
  process.send?.(cluster.url)
} else {
  process.on('uncaughtException', () => undefined)
  await attack.run(target, over.signal)
}
