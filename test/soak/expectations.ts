/** Expectations of the guest's key: whether it is valid now, and so which answer is right. */
import type { Question } from './questions.js'

export class Expectations {
  /** Undefined while it changes. */
  private isThere: boolean | undefined = false
  private version = 0

  note(isThere: boolean | undefined): void {
    this.isThere = isThere
    this.version++
  }

  /** @returns the question as it is to be judged later: something may have changed by then */
  expect(question: Question): () => Question {
    const { isThere, version } = this
    return () => {
      if (isThere === undefined || version !== this.version) return question
      return { ...question, statuses: isThere ? [200] : [401, 429], isForwarded: isThere }
    }
  }
}
