/** Reading a stream of the cluster's for ourselves: all of it, or a fault. */
import t, { type Test } from 'tap'
import { ClusterFault } from '../../src/cluster/faults.js'
import { readLines } from '../../src/cluster/lines.js'
import { startClusterClient } from '../support/cluster-client.js'

async function start(t: Test) {
  const { cluster, client } = await startClusterClient(t)
  const read = async (headMs = 5000, runMs = 60_000): Promise<string[]> => {
    const lines: string[] = []
    await readLines(client, { path: '/allocations', headers: {}, headMs, runMs }, (line) => {
      lines.push(line.toString())
    })
    return lines
  }
  return { cluster, read }
}

const reasonOf = (reading: Promise<unknown>): Promise<string> =>
  reading.then(
    () => 'no fault',
    (error: unknown) => (error instanceof ClusterFault ? error.reason : String(error)),
  )

const at = { path: '/allocations' }

t.test('each line is delivered once, whatever the size of the chunks', async (t) => {
  const { cluster, read } = await start(t)
  const feed = cluster.behave(at, { kind: 'trickle' })
  const lines = Array.from({ length: 300 }, (_, n) => `{"n":${n},"pad":"${'x'.repeat(n)}"}`)
  const text = lines.map((line) => `${line}\n`).join('')
  for (let from = 0, size = 1; from < text.length; from += size, size = (size * 11) % 997)
    feed.write(text.slice(from, from + size))
  feed.end()
  t.same(await read(), lines)
})

t.test('an empty state has no lines', async (t) => {
  const { read } = await start(t)
  t.same(await read(), [])
})

t.test(
  'an incomplete answer, or one that does not say that it is complete, is a fault',
  async (t) => {
    const { cluster, read } = await start(t)
    const cases = [
      [{ kind: 'die-mid-stream' }, 'cluster-cut'],
      [{ kind: 'stream', lines: 3, bytes: 50, trailers: ['', 'broken'] }, 'cluster-bad-answer'],
      [{ kind: 'stream', lines: 1, bytes: 9, line: () => 'no end' }, 'cluster-cut'],
      [
        { kind: 'stream', lines: 1, bytes: 9, line: () => 'x'.repeat(2 ** 21) },
        'cluster-bad-answer',
      ],
      [{ kind: 'status', status: 500, body: '{}' }, 'cluster-error'],
      [{ kind: 'status', status: 503, body: '' }, 'cluster-unavailable'],
      [{ kind: 'reset' }, 'cluster-hung-up'],
    ] as const
    for (const [behaviour, reason] of cases) {
      const undo = cluster.behave(at, behaviour)
      t.equal(await reasonOf(read()), reason, behaviour.kind)
      undo()
    }
    const stalled = cluster.behave(at, { kind: 'stall' })
    t.equal(await reasonOf(read(50)), 'cluster-timeout')
    stalled.release()
  },
)

t.test('an endless answer is cut', async (t) => {
  const { cluster, read } = await start(t)
  const feed = cluster.behave(at, { kind: 'trickle' })
  const line = setInterval(() => {
    feed.write('{}\n')
  }, 1)
  t.teardown(() => {
    clearInterval(line)
    feed.end()
  })
  t.equal(await reasonOf(read(5000, 100)), 'cluster-cut')
})
