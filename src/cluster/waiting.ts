/**
 * Handlers that wait for an answer, in no order. Not a Set: with everything that comes and goes, its
 * tables are replaced again and again, and an old one keeps what was in it alive until the next full
 * collection, which was measured as a tenth of a request's cost.
 */
import type { AnswerHandler } from './answer.js'

export class Waiting {
  private readonly handlers: AnswerHandler[] = []

  add(handler: AnswerHandler): void {
    handler.place = this.handlers.push(handler) - 1
  }

  delete(handler: AnswerHandler): void {
    const { place } = handler
    if (place < 0) return
    handler.place = -1
    const last = this.handlers.pop()
    if (last === undefined || last === handler) return
    this.handlers[place] = last
    last.place = place
  }

  /** Each one as it is now, whatever becomes of the others meanwhile. */
  all(): readonly AnswerHandler[] {
    return [...this.handlers]
  }
}
