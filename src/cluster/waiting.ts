/**
 * Handlers that wait for an answer, in no order. Not a Set: of one that everything passes through,
 * the outgrown tables keep what was in them alive until the next full collection, which was
 * measured as a quarter of what a request costs.
 */
import type { AnswerHandler } from './answer-handler.js'

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
