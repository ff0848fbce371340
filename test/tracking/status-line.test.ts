/** What the cluster says of a pin, read: one word for all of its peers, and plain ones for people. */
import t from 'tap'
import { plainWords } from '../../src/tracking/track-pins.js'
import { cidAtStart, statusIn } from '../../src/tracking/status-line.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

const line = (...statuses: readonly string[]): Buffer => {
  const peers = statuses.map((status, index) => [
    `peer-${index}`,
    { peername: 'p', status, error: status === 'pin_error' ? 'context canceled' : '' },
  ])
  return Buffer.from(
    JSON.stringify({ cid, name: '', peer_map: Object.fromEntries(peers) as object }),
  )
}

t.test('the state of a pin is that of the peers that it is allocated to', async (t) => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['pinned'], 'pinned'],
    [['pinned', 'remote', 'pinned'], 'pinned'],
    [['sharded'], 'pinned'],
    [['pinned', 'pinning'], 'pending'],
    [['pin_queued'], 'pending'],
    [['pin_error', 'pinning'], 'pending'],
    [['pin_error'], 'failed'],
    [['pinned', 'pin_error', 'remote'], 'failed'],
    [['pinned', 'cluster_error'], 'pending'],
    [['unexpectedly_unpinned'], 'pending'],
    [['unpinned'], 'unpinned'],
    [['unpinned', 'cluster_error'], 'pending'],
    [['remote'], 'pending'],
    [[], 'pending'],
  ]
  for (const [statuses, stage] of cases) {
    const reading = statusIn(line(...statuses))
    t.match(reading, { cid, stage }, statuses.join())
    t.equal(reading?.error, stage === 'failed' ? 'context canceled' : '')
  }
})

t.test('the CID of a line is found without reading the line', async (t) => {
  t.equal(cidAtStart(line('pinned')), cid)
  t.equal(cidAtStart(Buffer.from('{"name":"","cid":"x"}')), undefined)
  t.equal(cidAtStart(Buffer.from('{"cid":"')), undefined)
  t.equal(cidAtStart(Buffer.from('')), undefined)
})

t.test("the cluster's reasons are explained in plain words", async (t) => {
  const none =
    'the cluster gave up before Kubo had it: no progress in its pin_timeout, or a restart'
  const refused =
    'Post "http://127.0.0.1:5001/api/v0/pin/add": dial tcp 127.0.0.1:5001: connect: connection refused'
  const kubo = 'IPFS error (pin/add?arg=Qm). Code: 500. Message: pin: block is bad'
  const cases = {
    'context canceled': none,
    'IPFS error (pin/add?arg=Qm). Code: 500. Message: context deadline exceeded': none,
    'pin/unpin operation queue is full. Try increasing max_pin_queue_size':
      'the queue of the cluster is full',
    [refused]: 'the IPFS daemon cannot be reached',
    'write /data/blocks: no space left on device': 'the disk of the IPFS daemon is full',
    [kubo]: 'the IPFS daemon says: pin: block is bad',
    'something new': 'something new',
    '': 'the cluster does not say why',
  }
  for (const [error, words] of Object.entries(cases)) t.equal(plainWords(error), words, error)
  t.equal(plainWords('x'.repeat(1000)).length, 256)
})
