/** Which pins were changed so lately that not every peer may know of it. */
import t from 'tap'
import { RecentChanges } from '../../src/cluster/recent-changes.js'

t.test('a changed pin is remembered under all of its paths for five minutes', async (t) => {
  let now = 0
  const changes = new RecentChanges(() => now)
  t.equal(changes.has('/pins/a'), false)
  changes.note('/pins/a?name=x')
  changes.note('/pins/recover')
  changes.note('/pins/ipfs/direct?mode=direct')
  for (const path of ['/pins/a', '/pins/a?local=true', '/pins/a/recover', '/pins/direct'])
    t.equal(changes.has(path), true, path)
  for (const path of ['/pins/ab', '/pins', '/pins?cids=a', '/id', '/allocations/a'])
    t.equal(changes.has(path), false, path)
  now = 290_000
  changes.note('/pins/b')
  now = 299_999
  t.equal(changes.has('/pins/a'), true)
  now = 300_000
  t.equal(changes.has('/pins/a'), false)
  t.equal(changes.has('/pins/b'), true)
})

t.test('of very many changes the oldest are forgotten', async (t) => {
  const changes = new RecentChanges(() => 0)
  for (let index = 0; index <= 20_000; index++) changes.note(`/pins/${index}`)
  t.equal(changes.has('/pins/20000'), true)
  t.equal(changes.has('/pins/10002'), true)
  t.equal(changes.has('/pins/1'), false)
})
