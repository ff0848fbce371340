/** That a cluster has several peers is known for good, where a disk can keep it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PeerCount } from '../../src/listings/peer-count.js'
import type { Logger } from '../../src/log/logger.js'

async function opened(directory: string | undefined) {
  const told: string[] = []
  const log: Logger = (_level, _fields, message) => told.push(message)
  return { peers: await PeerCount.open({ directory, log }), told }
}

t.test('what was seen is said once, and known to the next that opens it', async (t) => {
  const directory = join(t.testdir(), 'not', 'there')
  const { peers, told } = await opened(directory)
  t.equal(peers.wereSeveral, false)
  await peers.noteSeveral()
  await peers.noteSeveral()
  t.equal(peers.wereSeveral, true)
  t.equal(told.length, 1)
  t.match(readFileSync(join(directory, 'several-peers'), 'utf8'), 'remove this file')
  const next = await opened(directory)
  t.equal(next.peers.wereSeveral, true)
  await next.peers.noteSeveral()
  t.same(next.told, [])
})

t.test('without a directory it is known until the end', async (t) => {
  const { peers } = await opened(undefined)
  await peers.noteSeveral()
  t.equal(peers.wereSeveral, true)
  t.equal((await opened(undefined)).peers.wereSeveral, false)
})

t.test('where it cannot be written that is said, and known until the end', async (t) => {
  const directory = join(t.testdir(), 'state')
  const { peers, told } = await opened(directory)
  writeFileSync(directory, 'no directory')
  await peers.noteSeveral()
  t.equal(peers.wereSeveral, true)
  t.match(told[1], 'could not keep on disk')
})
