/** The spool: a large listing lies in the directory that the settings name, and comes out whole. */
import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { startFakeCluster } from '../../support/fake-cluster/index.js'
import { startInstalled } from '../installed-daemon.js'
import type { Teardown } from '../steps.js'

const count = 20_000

export async function spool(place: string, t: Teardown): Promise<string> {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  cluster.addMany(count)
  const directory = join(place, 'spool')
  const { daemon, ask, stop } = await startInstalled(directory, {
    cluster: { endpoints: [{ url: cluster.url }] },
    listing: { directory },
  })
  const { status, text } = await ask('GET', '/pins')
  assert.equal(status, 200)
  assert.equal(text.split('\n').filter((line) => line !== '').length, count)
  const files = openFiles(daemon.process.pid).filter((file) => file.startsWith(`${directory}/`))
  assert(files.length > 0, 'the listing is kept in an open file of the spool')
  await stop()
  return `${count} pins, ${(text.length / 1e6).toFixed(1)} MB through a file in listing.directory`
}

function openFiles(pid = 0): string[] {
  const descriptors = `/proc/${pid}/fd`
  return readdirSync(descriptors).flatMap((descriptor) => {
    try {
      return [readlinkSync(join(descriptors, descriptor))]
    } catch {
      // It was closed meanwhile.
      return []
    }
  })
}
