/** Callers that ask one thing after the other, each in a way that rng has chosen. */
import type { SeededRng } from './seeded-rng.js'
import { weighted } from './seeded-rng.js'
import type { Expectations } from './expectations.js'
import type { Judge } from './judge.js'
import type { Ledger } from './ledger.js'
import { malformed } from './malformed.js'
import { anyQuestion, guest, pipelinable, type Question, wholeListing } from './questions.js'
import * as misbehaving from './misbehaving-clients.js'
import { trusted, untrusted } from './settings.js'
import { Wire } from './wire.js'

export interface Calling {
  readonly url: URL
  readonly ledger: Ledger
  readonly judge: Judge
  readonly expectations: Expectations
}

const freshShare = 0.2
const readersAtOnce = 5

export class Caller {
  /** Kept alive from one question to the next. */
  private kept: Wire | undefined

  constructor(
    private readonly calling: Calling,
    private readonly rng: SeededRng,
  ) {}

  /** Continues until the end, and closes its connection. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      try {
        await act(this.rng)(this)
      } catch (error) {
        this.calling.ledger.wrong(`a caller failed: ${String(error)}`)
      }
    }
    this.kept?.close()
    this.kept = undefined
  }

  async ask(): Promise<void> {
    const make = anyQuestion(this.rng)
    const question = make(this.rng)
    const { expectations } = this.calling
    const judged = make === guest ? expectations.expect(question) : () => question
    if (!this.rng.isHit(freshShare)) {
      await this.exchange(await this.keep(), question, judged)
      return
    }
    const isForwarded = question.text.includes('X-Forwarded-For')
    const wire = await this.open(isForwarded ? trusted : this.network())
    await this.exchange(wire, question, judged)
    wire.close()
  }

  /** Several at once on one connection; the last of them may be none. */
  async pipeline(): Promise<void> {
    const { rng } = this
    const { ledger, judge } = this.calling
    const count = 2 + rng.below(5)
    const questions = Array.from({ length: count }, () => pipelinable(rng)(rng))
    if (rng.isHit(0.2)) questions.push(malformed(rng))
    const wire = await this.keep()
    const askedMs = performance.now()
    ledger.asked += questions.length
    const text = questions.map((question) => question.text).join('')
    const at = rng.isHit(0.5) ? text.length : rng.below(text.length)
    wire.send(text.slice(0, at))
    if (at < text.length) wire.send(text.slice(at))
    for (const [index, question] of questions.entries()) {
      const answer = await wire.answer()
      judge.judge(question, answer, askedMs, { story: `pipelined; ${wire.story}` })
      // Behind an answer that ends the connection, such as the last refusal, nothing is read.
      if (answer?.isWhole !== true || answer.headers.get('connection') === 'close') {
        ledger.unseen += questions.length - index - 1
        return
      }
    }
  }

  async talkNonsense(): Promise<void> {
    const wire = await this.open(this.network())
    await this.exchange(wire, malformed(this.rng))
    wire.close()
  }

  /** Several readers of one listing, at paces of their own, and one who leaves. */
  async list(): Promise<void> {
    const read = async () => {
      const wire = await this.open(this.network())
      await this.exchange(wire, wholeListing(this.rng))
      wire.close()
    }
    await Promise.all([
      ...Array.from({ length: readersAtOnce }, read),
      this.visit(misbehaving.leaveListing),
    ])
  }

  visit(act: misbehaving.Act): Promise<void> {
    const { ledger, judge } = this.calling
    const { rng } = this
    return act({ rng, ledger, judge, open: () => this.open(trusted) })
  }

  private async exchange(
    wire: Wire,
    question: Question,
    judged: () => Question = () => question,
  ): Promise<void> {
    const { ledger, judge } = this.calling
    const askedMs = performance.now()
    ledger.asked++
    wire.send(question.text)
    const answer = await wire.answer()
    judge.judge(judged(), answer, askedMs, { story: wire.story })
  }

  private async keep(): Promise<Wire> {
    if (this.kept?.isUsable !== true) {
      this.kept?.close()
      this.kept = await this.open(trusted)
    }
    return this.kept
  }

  /** From many addresses: closed connections keep their ports for a while. */
  private open(network: string): Promise<Wire> {
    return Wire.open(this.calling.url, `${network}.${1 + this.rng.below(40)}`)
  }

  private network(): string {
    return this.rng.of([trusted, untrusted])
  }
}

type CallerAct = (caller: Caller) => Promise<void>
const visit =
  (act: misbehaving.Act): CallerAct =>
  (caller) =>
    caller.visit(act)

const act = weighted<CallerAct>([
  [87, (caller) => caller.ask()],
  [4, (caller) => caller.pipeline()],
  [3, (caller) => caller.talkNonsense()],
  [0.02, (caller) => caller.list()],
  [3, visit(misbehaving.leave)],
  [1, visit(misbehaving.leaveInHead)],
  [0.5, visit(misbehaving.leaveInBody)],
  [0.5, visit(misbehaving.sayNothing)],
  [0.03, visit(misbehaving.dawdle)],
  [0.05, visit(misbehaving.leaveListing)],
  [0.01, visit(misbehaving.stall)],
])
