/** Prints the steps of a probe as they go, one aligned line each, and counts them. */
import { redact } from '../../log/redact.js'
import type { Sink } from '../io.js'

/** A problem, in words. */
export interface ProbeProblem {
  readonly what: string
  /** What to do about it. */
  readonly help: string
}

export class ProbeSteps {
  #run = 0
  #failed = 0

  constructor(
    private readonly out: Sink,
    /** Hidden in every text: a server may send back what it received. */
    private readonly secrets: readonly string[],
  ) {}

  get hasFailed(): boolean {
    return this.#failed > 0
  }

  get count(): string {
    return `${this.#failed} of ${this.#run} ${this.#run === 1 ? 'step' : 'steps'} failed`
  }

  ok(step: string, text: string): void {
    this.#run += 1
    this.#line('ok', step, text)
  }

  /** One step, whatever the number of things that are wrong with it. */
  fail(step: string, ...problems: readonly ProbeProblem[]): void {
    this.#run += 1
    this.#failed += 1
    for (const { what, help } of problems) {
      this.#line('FAIL', step, what)
      this.#line('', '', `what to do: ${help}`)
    }
  }

  /** A note, not a failure. */
  note(step: string, text: string): void {
    this.#line('note', step, text)
  }

  /** Not tried, and why. */
  skip(step: string, text: string): void {
    this.#line('skip', step, text)
  }

  end(text: string): void {
    this.out.write(`\n${this.#shown(text)}\n`)
  }

  #line(mark: string, step: string, text: string): void {
    this.out.write(`${mark.padEnd(4)}  ${step.padEnd(8)}  ${this.#shown(text)}\n`)
  }

  /** The last guard: removes keys and terminal controls from every text. */
  #shown(text: string): string {
    const rest = this.secrets.reduce((shown, secret) => shown.replaceAll(secret, '…'), text)
    return rest
      .replace(/pw_[0-9a-z_]+/gi, 'pw_…')
      .replace(unprintable, ' ')
      .trimEnd()
  }
}

const unprintable = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu

/** Text from the other side: bounded, on one line, and without anything like a credential. */
export function quoted(words: string, charactersMax = 200): string {
  return redact(words.replace(unprintable, ' ').replace(/\s+/g, ' ').trim(), charactersMax)
}
