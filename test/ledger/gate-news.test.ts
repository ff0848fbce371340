/** What gates say to each other: also beside a newer release, and of a gate that is gone. */
import t from 'tap'
import type { GateMail } from '../../src/ledger/gate-mail.js'
import { GateNews } from '../../src/ledger/gate-news.js'
import type { GateState, Mail, News } from '../../src/ledger/news.js'
import type { LedgerOperation } from '../../src/ledger/storage/ledger-storage.js'
import { clock } from '../support/clock.js'

const release = { holder: 'a', token: 'gate1111.1' }
const state = { v: 1, round: '1.1', applied: {}, gone: [] }

/** A gate beside another one, whose state and mail are as given. */
function beside(other: string, mail: object = { news: [] }, isMute = false) {
  const time = clock()
  const store = { isUp: true }
  const [taken, noted, logged]: [News[], LedgerOperation[], string[]] = [[], [], []]
  const said: { state: GateState; mails: ReadonlyMap<string, string> }[] = []
  const dropped: string[] = []
  let seq = 0
  const exchange: GateMail['exchange'] = (text, mails) => {
    if (!store.isUp) return Promise.resolve(undefined)
    const own = JSON.parse(text) as GateState
    said.push({ state: own, mails })
    const states = new Map([['gate2222', other]])
    const heard = isMute ? {} : { heard: said.at(-2)?.state.round }
    const all = new Map([['gate2222', JSON.stringify({ ...heard, ...mail })]])
    return Promise.resolve({
      generation: 'g',
      states: dropped.length > 0 ? new Map() : states,
      mails: all,
    })
  }
  const news = new GateNews({
    storage: {
      gateId: 'gate1111',
      contents: { gates: [], outbox: [], isCopy: false, isVolatile: false } as never,
      note: (operations) => Promise.resolve(void noted.push(...operations)),
      commit: () => Promise.resolve(),
      nextSeq: () => ++seq,
      get lastSeq() {
        return seq
      },
    },
    mail: { exchange, drop: (ids) => Promise.resolve(void dropped.push(...ids)) },
    onNews: (each) => Promise.resolve(void taken.push(each)),
    onLost: () => undefined,
    log: (_level, _fields, message) => void logged.push(message),
    ...{ monotonic: time.monotonic, setTimer: time.setTimer },
  })
  return { news, time, store, taken, noted, logged, said, dropped }
}

const one: Mail = { news: [{ seq: 7, to: 'gate1111', cid: 'cid', released: release }] }

t.test("another gate's news is applied, and then acknowledged", async (t) => {
  const { time, taken, said } = beside(JSON.stringify(state), one)
  await time.turn(6000)
  t.match(taken, one.news)
  t.equal(said.at(-1)?.state.applied.gate2222, 7)
})

t.test('fields that this release does not know are ignored', async (t) => {
  const more = { ...one, more: 1, news: one.news.map((each) => ({ ...each, more: 1 })) }
  const { time, taken } = beside(JSON.stringify({ ...state, more: [1] }), more)
  await time.turn(6000)
  t.match(taken, one.news)
})

t.test(
  'what other gates wrote is known up to their last rounds, or later open changes',
  async (t) => {
    const { news, time } = beside(JSON.stringify({ ...state, seq: 41 }))
    await time.turn(6000)
    t.same(news.writtenBy([]), ['gate2222.41'])
    t.same(news.writtenBy(['gate2222.40', '1', 'gate3333.7']), ['gate2222.41', 'gate3333.7'])
    t.same(news.writtenBy(['gate2222.43', 'gate2222.42']), ['gate2222.43'])
  },
)

t.test('of a gate that does not say its last number only open changes are known', async (t) => {
  const { news, time } = beside(JSON.stringify(state))
  await time.turn(6000)
  t.same(news.writtenBy([]), [])
  t.same(news.writtenBy(['gate2222.3']), ['gate2222.3'])
})

for (const [title, other] of [
  ['of a newer release', JSON.stringify({ ...state, v: 2 })],
  ['that names no release', JSON.stringify({ round: '1.1' })],
  ['that is no JSON', 'v3:…'],
  ['that is no object', 'null'],
] as const)
  t.test(`the news of a gate ${title} is left for later, and nothing is repaired`, async (t) => {
    const { news, time, taken, said, logged } = beside(other, { kind: 'another', ...one })
    t.equal(news.isCurrent, false)
    await time.turn(20_000)
    t.same(taken, [])
    t.not(said.at(-1)?.state.applied.gate2222, 7, 'the other one keeps it')
    t.equal(news.isCurrent, false)
    t.same(news.unheard, ['gate2222'])
    t.equal(logged.filter((message) => message.includes('newer release')).length, 1, 'told once')
    const [kept] = news.released('gate2222', 'cid', { holder: 'a', token: 'gate2222.1' })
    await time.turn(6000)
    t.ok(kept)
    t.match(said.at(-1)?.mails.get('gate2222'), 'gate2222.1', 'it is told all the same')
  })

t.test('a gate counts as silent only once it had time to answer', async (t) => {
  const { news, time, store } = beside(JSON.stringify(state), { news: [] }, true)
  await time.turn(14_000)
  t.same(news.unheard, [])
  await time.turn(2000)
  t.same(news.unheard, ['gate2222'])
  t.equal(news.answers('gate2222'), false)
  store.isUp = false
  await time.turn(60_000)
  t.same(news.unheard, [], 'without the store, that is not the fault of the other gate')
  t.equal(news.answers('gate2222'), undefined)
  store.isUp = true
  await time.turn(14_000)
  t.same(news.unheard, [])
  await time.turn(2000)
  t.same(news.unheard, ['gate2222'])
})

t.test('a gate that answers is not silent', async (t) => {
  const { news, time, store } = beside(JSON.stringify(state))
  await time.turn(60_000)
  t.same([news.unheard, news.answers('gate2222')], [[], true])
  store.isUp = false
  await time.turn(10_000)
  t.same([news.unheard, news.answers('gate2222')], [[], undefined])
})

t.test('no gate waits for one that an operator forgets, and its news is dropped', async (t) => {
  const { news, time, noted, said, dropped } = beside(JSON.stringify(state))
  await time.turn(6000)
  news.released('gate2222', 'cid', { holder: 'a', token: 'gate2222.1' })
  t.same(news.figures.waiting, 1)
  t.equal(await news.forget('gate9999'), false, 'another one was never there')
  t.equal(await news.forget('gate2222'), true)
  t.same(news.figures.waiting, 0)
  t.same(dropped, ['gate2222'])
  t.match(noted.at(-1), { kind: 'gate', gateId: 'gate2222', isForgotten: true })
  await time.turn(6000)
  t.same(news.unheard, [])
  t.same(said.at(-1)?.state.gone, ['gate2222'], 'the other gates hear of it')
  t.equal(await news.forget('gate2222'), false, 'it is gone already')
})
