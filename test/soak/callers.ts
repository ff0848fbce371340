/** Callers that ask one thing after the other, each in a way that chance has chosen. */
import type { Chance } from './chance.js'
import { weighted } from './chance.js'
import type { GuestBook } from './guest-book.js'
import type { Judge } from './judge.js'
import type { Ledger } from './ledger.js'
import { malformed } from './malformed.js'
import { anyQuestion, guest, pipelinable, type Question, wholeListing } from './questions.js'
import * as rude from './rude.js'
import { trusted, untrusted } from './settings.js'
import { Wire } from './wire.js'

export interface Calling {
  readonly url: URL
  readonly ledger: Ledger
  readonly judge: Judge
  readonly guestBook: GuestBook
}

const freshShare = 0.2
const readersAtOnce = 5

export class Caller {
  /** Kept alive from one question to the next. */
  private kept: Wire | undefined

  constructor(
    private readonly calling: Calling,
    private readonly chance: Chance,
  ) {}

  /** Goes on until it is over, and closes its connection. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      try {
        await act(this.chance)(this)
      } catch (error) {
        this.calling.ledger.wrong(`a caller failed: ${String(error)}`)
      }
    }
    this.kept?.close()
    this.kept = undefined
  }

  async ask(): Promise<void> {
    const make = anyQuestion(this.chance)
    const question = make(this.chance)
    const { guestBook } = this.calling
    const judged = make === guest ? guestBook.expect(question) : () => question
    if (!this.chance.isHit(freshShare)) {
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
    const { chance } = this
    const { ledger, judge } = this.calling
    const count = 2 + chance.below(5)
    const questions = Array.from({ length: count }, () => pipelinable(chance)(chance))
    if (chance.isHit(0.2)) questions.push(malformed(chance))
    const wire = await this.keep()
    const askedMs = performance.now()
    ledger.asked += questions.length
    const text = questions.map((question) => question.text).join('')
    const at = chance.isHit(0.5) ? text.length : chance.below(text.length)
    wire.send(text.slice(0, at))
    if (at < text.length) wire.send(text.slice(at))
    for (const [index, question] of questions.entries()) {
      const answer = await wire.answer()
      judge.judge(question, answer, askedMs, { story: `pipelined; ${wire.story}` })
      if (answer?.isWhole !== true) {
        ledger.unseen += questions.length - index - 1
        return
      }
    }
  }

  async talkNonsense(): Promise<void> {
    const wire = await this.open(this.network())
    await this.exchange(wire, malformed(this.chance))
    wire.close()
  }

  /** Several readers of one listing, at paces of their own, and one who leaves. */
  async list(): Promise<void> {
    const read = async () => {
      const wire = await this.open(this.network())
      await this.exchange(wire, wholeListing(this.chance))
      wire.close()
    }
    await Promise.all([
      ...Array.from({ length: readersAtOnce }, read),
      this.visit(rude.leaveListing),
    ])
  }

  visit(act: rude.Act): Promise<void> {
    const { ledger, judge } = this.calling
    const { chance } = this
    return act({ chance, ledger, judge, open: () => this.open(trusted) })
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
    return Wire.open(this.calling.url, `${network}.${1 + this.chance.below(40)}`)
  }

  private network(): string {
    return this.chance.of([trusted, untrusted])
  }
}

type CallerAct = (caller: Caller) => Promise<void>
const visit =
  (act: rude.Act): CallerAct =>
  (caller) =>
    caller.visit(act)

const act = weighted<CallerAct>([
  [87, (caller) => caller.ask()],
  [4, (caller) => caller.pipeline()],
  [3, (caller) => caller.talkNonsense()],
  [0.02, (caller) => caller.list()],
  [3, visit(rude.leave)],
  [1, visit(rude.leaveInHead)],
  [0.5, visit(rude.leaveInBody)],
  [0.5, visit(rude.sayNothing)],
  [0.03, visit(rude.dawdle)],
  [0.05, visit(rude.leaveListing)],
  [0.01, visit(rude.stall)],
])
