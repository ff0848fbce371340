/** Misbehaving clients: they leave, stop halfway, send nothing, or read nothing. */
import { setTimeout } from 'node:timers/promises'
import type { SeededRng } from './seeded-rng.js'
import type { Judge } from './judge.js'
import type { Ledger } from './ledger.js'
import { anyQuestion, byPinner, requestText, wholeListing } from './questions.js'
import type { Wire } from './wire.js'

export interface Visit {
  readonly rng: SeededRng
  readonly ledger: Ledger
  readonly judge: Judge
  /** A connection of its own. */
  readonly open: () => Promise<Wire>
}

export type Act = (visit: Visit) => Promise<void>

/** Asks and is gone, before the answer or in the middle of it. */
export const leave: Act = async ({ rng, ledger, open }) => {
  const wire = await open()
  ledger.asked++
  ledger.unseen++
  wire.send(anyQuestion(rng)(rng).text)
  if (rng.isHit(0.8)) await setTimeout(rng.between(0, 8))
  wire.leave(rng.of(['fin', 'rst']))
}

export const leaveInHead: Act = async ({ rng, ledger, open }) => {
  const wire = await open()
  const { text } = anyQuestion(rng)(rng)
  ledger.asked++
  ledger.unseen++
  wire.send(text.slice(0, 1 + rng.below(text.length - 2)))
  await setTimeout(rng.between(0, 20))
  wire.leave(rng.of(['fin', 'rst']))
}

export const leaveInBody: Act = async ({ rng, ledger, open }) => {
  const wire = await open()
  const line = 'POST /pins/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
  ledger.asked++
  ledger.unseen++
  wire.send(`${requestText(line, [byPinner(rng), 'Content-Length: 500'])}so much and no more`)
  await setTimeout(rng.between(0, 20))
  wire.leave(rng.of(['fin', 'rst']))
}

/** Nothing was asked: nothing may be logged. */
export const sayNothing: Act = async ({ rng, open }) => {
  const wire = await open()
  await setTimeout(rng.between(0, 20))
  wire.leave(rng.of(['fin', 'rst']))
}

/** Begins a head and waits until the gate has enough of it. */
export const dawdle: Act = async ({ rng, ledger, judge, open }) => {
  const wire = await open()
  const askedMs = performance.now()
  const text = 'GET /id HTTP/1.1\r\nHost: so'
  ledger.asked++
  wire.send(text)
  const answer = await wire.answer()
  judge.judge({ name: 'dawdler', text, statuses: [408], isForwarded: false }, answer, askedMs)
  wire.leave(rng.of(['fin', 'rst']))
}

/** Reads a listing's head, and leaves. */
export const leaveListing: Act = async ({ rng, ledger, judge, open }) => {
  const wire = await open()
  const question = wholeListing(rng)
  const askedMs = performance.now()
  ledger.asked++
  wire.send(question.text)
  const answer = await wire.answer(async () => {
    await setTimeout(rng.between(0, 5))
    wire.leave(rng.of(['fin', 'rst']))
  })
  judge.judge(question, answer, askedMs, { mayBeCut: true })
}

/** Reads a listing's headers, and then nothing for longer than the gate waits. */
export const stall: Act = async ({ rng, ledger, judge, open }) => {
  const wire = await open()
  const question = wholeListing(rng)
  const askedMs = performance.now()
  ledger.asked++
  wire.send(question.text)
  const answer = await wire.answer(() => wire.hold(setTimeout(3000)))
  judge.judge(question, answer, askedMs, { mayBeCut: true })
  wire.close()
}
