/** Places that are shared: turns go round the owners, and each leaves some to the others. */
import t from 'tap'
import { Lane, type LanePlace } from '../../src/cluster/lane.js'

/** So many of an owner; what was begun is noted. */
function many(lane: Lane, owner: string, count: number, begun: string[]): LanePlace[] {
  const places = Array.from({ length: count }, () => lane.reserve(owner))
  return places.flatMap((place) => {
    place?.begin(() => begun.push(owner))
    return place ?? []
  })
}

const countOf = (names: readonly string[], name: string): number =>
  names.filter((each) => each === name).length

t.test('an owner has no more places than it leaves free, and a newcomer finds one', async (t) => {
  const lane = new Lane(64, 1000)
  const begun: string[] = []
  for (const owner of ['a', 'b', 'c', 'd', 'e', 'f']) many(lane, owner, 64, begun)
  t.same(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((owner) => countOf(begun, owner)),
    [32, 16, 8, 4, 2, 1],
  )
})

t.test('turns go round the owners, each with its own order', async (t) => {
  const lane = new Lane(1, 100)
  const begun: string[] = []
  const [first] = many(lane, 'a', 4, begun)
  many(lane, 'b', 2, begun)
  const places: LanePlace[] = []
  for (const owner of ['a', 'b', 'c']) {
    const place = lane.reserve(owner)
    if (place !== undefined) places.push(place)
    place?.begin(() => begun.push(`${owner} last`))
  }
  t.equal(lane.size, 9)
  t.ok(lane.isWaitedFor)
  t.same(begun, ['a'])
  first?.leave()
  first?.leave()
  t.same(begun, ['a', 'a'], 'once more does nothing')
  places[2]?.leave()
  t.equal(lane.size, 7, 'what waits may leave')
})

t.test('the queue is also shared', async (t) => {
  const lane = new Lane(1, 8)
  const places = many(lane, 'a', 20, [])
  t.equal(places.length, 1 + 4)
  t.equal(many(lane, 'b', 20, []).length, 2)
  t.equal(many(lane, 'c', 20, []).length, 1)
})

t.test(
  'work for two owners gets the first turn of either, and stays when one leaves',
  async (t) => {
    const lane = new Lane(1, 100)
    const begun: string[] = []
    const [running] = many(lane, 'x', 1, begun)
    many(lane, 'a', 3, begun)
    const both = lane.reserve('a')
    both?.begin(() => begun.push('both'))
    both?.join('b')
    both?.part('a')
    t.notOk(both?.isTaken)
    const [first] = [running]
    first?.leave()
    t.same(begun, ['x', 'a'])
    both?.leave()
    t.equal(lane.size, 3)
  },
)
