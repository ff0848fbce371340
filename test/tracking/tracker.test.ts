/** Pins are tracked with few requests, counted and bounded; by the clock of a test. */
import t from 'tap'
import { ClusterFault } from '../../src/cluster/faults.js'
import type { PinEvent } from '../../src/tracking/tracked-pin.js'
import { PinTracker } from '../../src/tracking/tracker.js'
import { clock } from '../support/clock.js'
import { generatedCid } from '../support/fake-cluster/index.js'

const minuteMs = 60_000
const [one, two] = [generatedCid(1), generatedCid(2)]

/** A tracker, what the cluster would say, and its requests to the cluster. */
function tracking() {
  const time = clock()
  const state = new Map<string, string>()
  const [questions, events] = [[] as string[], [] as PinEvent[]]
  const faults: Error[] = []
  const hanging = new Map<string, (error: Error) => void>()
  const line = (cid: string) => {
    const [status = 'unpinned', error = ''] = (state.get(cid) ?? 'unpinned').split(': ')
    return Buffer.from(JSON.stringify({ cid, peer_map: { peer: { status, error } } }))
  }
  const asked = async (question: string) => {
    questions.push(question)
    const fault = faults.shift()
    if (fault !== undefined) throw fault
  }
  const bugs: unknown[] = []
  const tracker = new PinTracker({
    readQueue: async (take) => {
      await asked('queue')
      for (const [cid, status] of state)
        if (['pin_queued', 'pinning'].includes(status)) take(line(cid))
    },
    readStatus: async (cids, take) => {
      await asked(`${cids.length} by name`)
      for (const cid of cids) if (!hanging.has(cid)) take(line(cid))
      for (const cid of cids)
        if (hanging.has(cid)) await new Promise((_, reject) => hanging.set(cid, reject))
    },
    onEvent: (event) => events.push(event),
    onError: (error) => bugs.push(error),
    ...time,
  })
  const results = () => events.map(({ encoder, result, ms }) => [encoder, result, ms])
  return { tracker, state, questions, events, results, faults, hanging, bugs, turn: time.turn }
}

t.test('a pin is asked for by name only when it has left the queue', async (t) => {
  const { tracker, state, questions, results, turn } = tracking()
  state.set(one, 'pin_queued')
  tracker.accepted(one, 'alpha')
  t.same(tracker.pendingPins(), new Map([['alpha', { pending: 1, failing: 0 }]]))
  await turn(1000)
  t.same(questions, ['queue'])
  state.set(one, 'pinned')
  await turn(1500)
  t.same(questions, ['queue', 'queue', '1 by name'])
  t.same(results(), [['alpha', 'pinned', 2500]])
  t.equal(tracker.pendingPins().size, 0)
  await turn(60 * minuteMs)
  t.equal(questions.length, 3, 'nothing is asked when nothing is pending')
})

t.test('an event handler that throws is logged, and blocks no other', async (t) => {
  const { tracker, state, events, bugs, turn } = tracking()
  const bug = new TypeError('a bug')
  const push = events.push.bind(events)
  events.push = (...given) => {
    events.push = push
    push(...given)
    throw bug
  }
  for (const cid of [one, two]) {
    state.set(cid, 'pinned')
    tracker.accepted(cid, 'alpha')
  }
  await turn(1000)
  t.same(bugs, [bug])
  t.same(
    events.map(({ result }) => result),
    ['pinned', 'pinned'],
  )
  t.equal(tracker.pendingPins().size, 0)
  events.push = () => {
    throw bug
  }
  tracker.accepted(one, 'alpha')
  t.doesNotThrow(() => {
    tracker.released(one, 'alpha')
  })
  t.same(bugs, [bug, bug])
})

t.test('an unreadable answer is reported, and requested again', async (t) => {
  const { tracker, state, faults, bugs, results, turn } = tracking()
  const fault = new ClusterFault('cluster-bad-answer', new Error('no JSON'))
  faults.push(new ClusterFault('cluster-timeout'), fault)
  state.set(one, 'pinned')
  tracker.accepted(one, 'alpha')
  await turn(60_000)
  t.same(bugs, [fault])
  t.match(results(), [['alpha', 'pinned']])
})

t.test('while nothing happens the requests become rare', async (t) => {
  const { tracker, state, questions, turn } = tracking()
  state.set(one, 'pinning')
  tracker.accepted(one, 'alpha')
  await turn(60 * minuteMs)
  t.ok(questions.length < 130, `${questions.length} questions in an hour`)
  questions.length = 0
  state.set(two, 'pinned')
  tracker.accepted(two, 'alpha')
  await turn(1000)
  t.same(questions, ['queue', '1 by name'], 'and soon again when something is new')
})

t.test('a thousand pins cost as many requests as one', async (t) => {
  const { tracker, state, questions, events, turn } = tracking()
  for (let index = 0; index < 1000; index++) {
    state.set(generatedCid(index), 'pinned')
    tracker.accepted(generatedCid(index), 'alpha')
  }
  await turn(1000)
  t.same(questions, ['queue', ...Array.from({ length: 5 }, () => '100 by name')])
  await turn(1000)
  t.equal(events.length, 1000)
  t.equal(questions.length, 12)
})

t.test('a failure is reported once, and so is its later outcome', async (t) => {
  const { tracker, state, events, results, turn } = tracking()
  state.set(one, 'pin_error: context canceled')
  tracker.accepted(one, 'alpha')
  tracker.accepted(one, 'beta')
  await turn(1000)
  t.same(results(), [
    ['alpha', 'failed', 1000],
    ['beta', 'failed', 1000],
  ])
  t.equal(events[0]?.error, 'context canceled')
  t.same(tracker.pendingPins().get('alpha'), { pending: 0, failing: 1 })
  await turn(30 * minuteMs)
  t.equal(events.length, 2)
  state.set(one, 'pinned')
  await turn(2 * minuteMs)
  t.same(
    events.slice(2).map(({ encoder, result }) => [encoder, result]),
    [
      ['alpha', 'recovered'],
      ['beta', 'recovered'],
    ],
  )
})

t.test('a pin that the cluster does not know yet is not taken for unpinned', async (t) => {
  const { tracker, state, results, turn } = tracking()
  tracker.accepted(one, 'alpha')
  await turn(4 * minuteMs)
  t.same(results(), [])
  state.set(one, 'pinned')
  await turn(minuteMs)
  t.match(results(), [['alpha', 'pinned']])

  tracker.accepted(two, 'alpha')
  await turn(6 * minuteMs)
  t.match(results().slice(1), [['alpha', 'unpinned']])
})

t.test('an encoder that unpins gets an event, the others are still tracked', async (t) => {
  const { tracker, state, results, turn } = tracking()
  state.set(one, 'pinning')
  tracker.accepted(one, 'alpha')
  tracker.accepted(one, 'beta')
  await turn(3000)
  tracker.released(one, 'alpha')
  t.same(results(), [['alpha', 'unpinned', 3000]])
  state.set(one, 'pinned')
  await turn(minuteMs)
  t.match(results().slice(1), [['beta', 'pinned']])
})

t.test('a pin whose lease has ended counts no more, and ends as unpinned', async (t) => {
  const { tracker, state, results, questions, turn } = tracking()
  state.set(one, 'pin_error: context canceled')
  tracker.accepted(one, 'alpha', 5000)
  tracker.accepted(one, 'beta')
  tracker.accepted(two, 'alpha', 5000)
  tracker.accepted(two, 'alpha', 60_000)
  await turn(4999)
  t.same(tracker.pendingPins().get('alpha'), { pending: 1, failing: 1 })
  await turn(1)
  t.same(tracker.pendingPins().get('alpha'), { pending: 1, failing: 0 }, 'one was renewed')
  t.same(tracker.pendingPins().get('beta'), { pending: 0, failing: 1 })
  await turn(3 * minuteMs)
  t.same(
    results().filter(([, result]) => result === 'unpinned'),
    [
      ['alpha', 'unpinned', results()[2]?.[2]],
      ['alpha', 'unpinned', results()[3]?.[2]],
    ],
  )
  t.same(tracker.pendingPins().get('alpha'), undefined)
  state.delete(one)
  tracker.released(one, 'beta')
  questions.length = 0
  await turn(60 * minuteMs)
  t.same(questions, [])
})

t.test('tracking ends after a day', async (t) => {
  const { tracker, state, results, questions, turn } = tracking()
  state.set(one, 'pinning')
  tracker.accepted(one, 'alpha')
  await turn(25 * 60 * minuteMs)
  t.match(results(), [['alpha', 'given-up']])
  t.equal(tracker.pendingPins().size, 0)
  questions.length = 0
  await turn(60 * minuteMs)
  t.same(questions, [])
})

t.test('a cluster that is down is asked less and less often, and nothing is lost', async (t) => {
  const { tracker, state, questions, results, faults, bugs, turn } = tracking()
  for (let count = 0; count < 10; count++) faults.push(new ClusterFault('cluster-down'))
  state.set(one, 'pinned')
  tracker.accepted(one, 'alpha')
  await turn(2 * minuteMs)
  t.ok(questions.length < 8, `${questions.length} questions`)
  await turn(10 * minuteMs)
  t.match(results(), [['alpha', 'pinned']])
  t.same(bugs, [])
})

t.test('a waiting request is called once the pin is in a terminal state', async (t) => {
  const { tracker, state, questions, turn } = tracking()
  state.set(one, 'pinning')
  tracker.accepted(one, 'alpha')
  let called = 0
  for (let count = 0; count < 1000; count++) tracker.wait(one, 25_000, () => called++)
  await turn(5000)
  t.equal(called, 0)
  state.set(one, 'pinned')
  await turn(3000)
  t.equal(called, 1000)
  t.ok(questions.length <= 7, `${questions.length} questions for all of them`)
})

t.test('a waiting request is called when time is up', async (t) => {
  const { tracker, state, turn } = tracking()
  state.set(one, 'pinning')
  let called = 0
  tracker.wait(one, 25_000, () => called++)
  await turn(24_999)
  t.equal(called, 0)
  await turn(1)
  t.equal(called, 1)
})

t.test('a pin that is not tracked is requested immediately, by name', async (t) => {
  const { tracker, state, questions, events, turn } = tracking()
  state.set(one, 'pinned')
  let called = 0
  tracker.wait(one, 25_000, () => called++)
  tracker.wait(one, 25_000, () => called++)
  await turn(0)
  t.equal(called, 2)
  t.same(questions, ['1 by name'])
  tracker.wait(two, 25_000, () => called++)
  await turn(0)
  t.equal(called, 3, 'also one that is not pinned')
  t.same(events, [], 'and no event follows')
  await turn(60 * minuteMs)
  t.equal(questions.length, 2)
})

t.test('a question that hangs delays no other wait, and few hang at a time', async (t) => {
  const { tracker, state, questions, hanging, bugs, turn } = tracking()
  const called: string[] = []
  const wait = (cid: string) => tracker.wait(cid, 60_000, () => called.push(cid))
  const stuck = [10, 11, 12, 13, 14, 15].map(generatedCid)
  for (const cid of stuck.slice(0, 3)) {
    hanging.set(cid, () => undefined)
    wait(cid)
    await turn(10)
  }
  for (const cid of [one, two]) {
    state.set(cid, 'pinned')
    wait(cid)
  }
  await turn(3000)
  t.same(called, [one, two])
  for (const cid of stuck.slice(3)) {
    hanging.set(cid, () => undefined)
    wait(cid)
    await turn(3000)
  }
  t.ok(questions.filter((question) => question.endsWith('by name')).length <= 5, questions.join())
  const ends = [...hanging.values()]
  hanging.clear()
  for (const end of ends) end(new ClusterFault('cluster-timeout'))
  await turn(30_000)
  t.same(new Set(called), new Set([one, two, ...stuck]), 'the others are asked for again')
  t.same(bugs, [])
})

t.test('a request that leaves is not called, and causes no read', async (t) => {
  const { tracker, state, questions, turn } = tracking()
  state.set(one, 'pinning')
  let called = 0
  const leave = tracker.wait(one, 25_000, () => called++)
  await turn(0)
  leave()
  leave()
  questions.length = 0
  await turn(60 * minuteMs)
  t.equal(called, 0)
  t.same(questions, [])
})

t.test('more than ten thousand do not wait', async (t) => {
  const { tracker, state } = tracking()
  state.set(one, 'pinning')
  const calls = { waiting: 0, beyond: 0 }
  for (let count = 0; count < 10_000; count++) tracker.wait(one, 1000, () => calls.waiting++)
  tracker.wait(one, 1000, () => calls.beyond++)
  t.same(calls, { waiting: 0, beyond: 1 })
  tracker.close()
  t.same(calls, { waiting: 10_000, beyond: 1 }, 'and at the end no request does')
})

t.test('more than fifty thousand pins are not tracked', async (t) => {
  const { tracker } = tracking()
  for (let index = 0; index < 50_100; index++) tracker.accepted(generatedCid(index), 'alpha')
  t.same(tracker.pendingPins().get('alpha'), { pending: 50_000, failing: 0 })
})

t.test('an encoder with fewer pins than another is still tracked', async (t) => {
  const { tracker } = tracking()
  for (let index = 0; index < 50_000; index++) tracker.accepted(generatedCid(index), 'alpha')
  for (let index = 60_000; index < 60_100; index++) tracker.accepted(generatedCid(index), 'beta')
  t.same(tracker.pendingPins().get('beta'), { pending: 100, failing: 0 })
  t.same(tracker.pendingPins().get('alpha'), { pending: 49_900, failing: 0 })
})

t.test('an encoder has no more waits than it leaves free', async (t) => {
  const { tracker, state } = tracking()
  state.set(one, 'pinning')
  const calls = { alpha: 0, beta: 0 }
  for (let count = 0; count < 9000; count++) tracker.wait(one, 1000, () => calls.alpha++, 'alpha')
  tracker.wait(one, 1000, () => calls.beta++, 'beta')
  t.same(calls, { alpha: 4000, beta: 0 })
  tracker.close()
})

t.test('a line that is not a status hides no other pin', async (t) => {
  const time = clock()
  const events: PinEvent[] = []
  const tracker = new PinTracker({
    readQueue: async () => undefined,
    readStatus: async (_cids, take) => {
      for (const text of ['no json', '[]', `{"cid":"${one}","peer_map":{"p":7}}`])
        take(Buffer.from(text))
      take(Buffer.from(`{"cid":"${two}","peer_map":{"p":{"status":"pinned"}}}`))
    },
    onEvent: (event) => events.push(event),
    onError: (error) => t.fail(String(error)),
    ...time,
  })
  tracker.accepted(one, 'alpha')
  tracker.accepted(two, 'alpha')
  await time.turn(1000)
  t.match(events, [{ cid: two, result: 'pinned' }])
  tracker.close()
})

t.test(
  'a pin that is already there is answered immediately, and others once they are seen',
  async (t) => {
    const { tracker, state, turn } = tracking()
    state.set(one, 'pinned')
    tracker.accepted(one, 'alpha')
    const called: string[] = []
    tracker.wait(one, 25_000, () => called.push(one), 'alpha')
    await turn(0)
    t.same(called, [one])
    state.set(two, 'pinning')
    tracker.accepted(two, 'alpha')
    tracker.wait(two, 25_000, () => called.push(two), 'alpha')
    await turn(40)
    state.set(two, 'pinned')
    await turn(300)
    t.same(called, [one, two])
  },
)

t.test('an error of the gate itself is reported, and the pins are still tracked', async (t) => {
  const { tracker, state, faults, bugs, results, turn } = tracking()
  faults.push(new TypeError('a bug'))
  state.set(one, 'pinned')
  tracker.accepted(one, 'alpha')
  await turn(minuteMs)
  t.match(bugs, [{ message: 'a bug' }])
  t.match(results(), [['alpha', 'pinned']])
})
