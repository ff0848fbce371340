/** An unordered list, and a counter by key. */
import t from 'tap'
import { KeyedCounter } from '../../src/collections/keyed-counter.js'
import { UnorderedList } from '../../src/collections/unordered-list.js'

t.test('each item leaves an unordered list once, whichever goes first', async (t) => {
  const [a, b, c] = [listed('a'), listed('b'), listed('c')]
  const list = new UnorderedList<ReturnType<typeof listed>>()
  const names = () => [...list].map(({ name }) => name).sort()
  for (const item of [a, b, c]) list.add(item)
  list.delete(a)
  list.delete(a)
  t.same(names(), ['b', 'c'])
  for (const item of list) list.delete(item)
  t.equal(list.size, 0)
  list.delete(b)
  list.add(c)
  list.add(a)
  t.same(names(), ['a', 'c'])
})

function listed(name: string) {
  return { name, place: -1 }
}

t.test('a key that is counted down to zero takes no memory', async (t) => {
  const counter = new KeyedCounter()
  counter.add('a')
  counter.add('a', 2)
  t.equal(counter.of('a'), 3)
  t.equal(counter.of('b'), 0)
  counter.add('a', -3)
  t.equal(counter.size, 0)
})
