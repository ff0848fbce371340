/** Which pins were changed so lately that not every peer may know of it. */
import t from 'tap'
import { RecentChanges } from '../../src/cluster/recent-changes.js'

t.test('a changed pin is known by all of its paths for a minute', async (t) => {
  let now = 0
  const changes = new RecentChanges(() => now)
  t.equal(changes.has('/pins/a'), false)
  changes.note('/pins/a?name=x')
  changes.note('/pins/recover')
  for (const path of ['/pins/a', '/pins/a?local=true', '/pins/a/recover'])
    t.equal(changes.has(path), true, path)
  for (const path of ['/pins/ab', '/pins', '/pins?cids=a', '/id', '/allocations/a'])
    t.equal(changes.has(path), false, path)
  now = 50_000
  changes.note('/pins/b')
  now = 59_999
  t.equal(changes.has('/pins/a'), true)
  now = 60_000
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
