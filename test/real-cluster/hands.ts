/** The cluster changes without the gate: a backup is restored, the datastore is emptied. */
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { cidsFrom, type Host, pinAll, startHost } from './host.js'
import { forEach, must, scenario } from './scenario.js'
import { eventually } from './settled.js'

t.setTimeout(900_000)

const changedOutside =
  'found pins that were changed outside the gate; an operator has to decide on them'

/** What a cluster keeps beside its configuration. */
const stateIn = (folder: string) =>
  readdirSync(folder).filter((name) => !['service.json', 'identity.json'].includes(name))

async function unpinAll(host: Host, cids: readonly string[]): Promise<void> {
  await eventually('the gate has seen that the cluster is back', async () =>
    (await host.gate.ask('GET', '/id')).status === 200 ? true : undefined,
  )
  await forEach(cids, 8, async (cid) => {
    const { status } = await host.gate.ask('DELETE', `/pins/${cid}`)
    must(status === 200, `DELETE: ${status}`)
  })
}

/** The gate must not unpin what a restored backup brought back. */
async function restored(host: Host, cids: readonly string[]): Promise<string> {
  const { gate, peers } = host
  await peers[0].comeBack()
  const back = cids.length - (await host.lacking(cids)).length
  must(back === cids.length, `the backup has ${back} of ${cids.length}`)
  await gate.start()
  const line = await gate.logged(changedOutside)
  await peers[0].kill()
  await peers[0].comeBack()
  await delay(5000)
  const kept = cids.length - (await host.lacking(cids)).length
  // What a kill forgets of the restored state is not the gate's to bring back.
  must(
    kept > 0 &&
      gate.linesOf('the cluster had leases that were released; unpinned again').length === 0,
    `${kept} of ${cids.length} are there`,
  )
  return `${kept} of ${cids.length} stay; reported: ${String(line.unexpected)} unexpected`
}

await scenario(t, 'L31 a backup of the cluster is restored by state import', 180, async (t) => {
  const host = await startHost(t)
  const cids = cidsFrom(0, 200)
  const file = join(host.gate.folder, 'export.json')
  await pinAll(host, cids)
  await host.peers[0].stop()
  await host.peers[0].command('state', 'export', '-f', file)
  await host.peers[0].comeBack()
  await unpinAll(host, cids)
  await host.gate.stop()
  await host.peers[0].stop()
  await host.peers[0].command('state', 'import', '-f', file)
  return restored(host, cids)
})

await scenario(t, 'L31 a backup of the cluster is restored as files', 180, async (t) => {
  const host = await startHost(t)
  const cids = cidsFrom(0, 200)
  const { folder } = host.peers[0]
  const copy = join(host.gate.folder, 'copy')
  await pinAll(host, cids)
  await host.peers[0].stop()
  for (const name of stateIn(folder))
    cpSync(join(folder, name), join(copy, name), { recursive: true })
  await host.peers[0].comeBack()
  await unpinAll(host, cids)
  await host.gate.stop()
  await host.peers[0].stop()
  for (const name of stateIn(folder)) rmSync(join(folder, name), { recursive: true })
  cpSync(copy, folder, { recursive: true })
  return restored(host, cids)
})

await scenario(
  t,
  'state cleanup: 1,500 pins are reported, and put back by a plan',
  300,
  async (t) => {
    const host = await startHost(t)
    const cids = cidsFrom(0, 1500)
    const plan = join(host.gate.folder, 'missing.txt')
    await pinAll(host, cids)
    await host.gate.stop()
    await host.peers[0].stop()
    await host.peers[0].command('state', 'cleanup', '-f')
    await host.peers[0].comeBack()
    await host.gate.start()
    const line = await host.gate.logged(changedOutside)
    for (const args of [
      ['plan', '--missing', '--out', plan],
      ['apply', plan, '--rate', '500'],
    ]) {
      const { code, stderr } = await host.gate.command('pins', ...args)
      must(code === 0, `pins ${args.join(' ')}: ${stderr}`)
    }
    const lost = await host.lacking(cids)
    must(lost.length === 0, `${lost.length} of 1,500 are missing`)
    return `${String(line.missing)} reported, 1,500 of 1,500 are there again`
  },
)

await scenario(
  t,
  'state cleanup: some hundred pins are written again by themselves',
  180,
  async (t) => {
    const host = await startHost(t)
    const cids = cidsFrom(0, 300)
    await pinAll(host, cids)
    await host.gate.stop()
    await host.peers[0].stop()
    await host.peers[0].command('state', 'cleanup', '-f')
    await host.peers[0].comeBack()
    must((await host.lacking(cids)).length === cids.length, 'the state is not empty')
    await host.gate.start()
    await host.gate.logged('verified recent writes')
    const lost = await host.lacking(cids)
    must(lost.length === 0, `${lost.length} of ${cids.length} are missing`)
    return '300 of 300 are there again'
  },
)
