/** That a cluster has several peers is known for good, where a disk can keep it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PeerCount } from '../../src/listings/peer-count.js'
import type { Logger } from '../../src/log/logger.js'

async function opened(directory: string | undefined) {
  const messages: string[] = []
  const log: Logger = (_level, _fields, message) => messages.push(message)
  return { peers: await PeerCount.open({ directory, log }), messages }
}

t.test('several peers are logged once, and remembered by the next process', async (t) => {
  const directory = join(t.testdir(), 'not', 'there')
  const { peers, messages } = await opened(directory)
  t.equal(peers.wereSeveral, false)
  await peers.noteSeveral()
  await peers.noteSeveral()
  t.equal(peers.wereSeveral, true)
  t.equal(messages.length, 1)
  t.match(readFileSync(join(directory, 'several-peers'), 'utf8'), 'remove this file')
  const next = await opened(directory)
  t.equal(next.peers.wereSeveral, true)
  await next.peers.noteSeveral()
  t.same(next.messages, [])
})

t.test('without a directory they are remembered until the process ends', async (t) => {
  const { peers } = await opened(undefined)
  await peers.noteSeveral()
  t.equal(peers.wereSeveral, true)
  t.equal((await opened(undefined)).peers.wereSeveral, false)
})

t.test(
  'an unwritable directory is logged, and they are remembered until the process ends',
  async (t) => {
    const directory = join(t.testdir(), 'state')
    const { peers, messages } = await opened(directory)
    writeFileSync(directory, 'no directory')
    await peers.noteSeveral()
    t.equal(peers.wereSeveral, true)
    t.match(messages[1], 'could not keep on disk')
  },
)
