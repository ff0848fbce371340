/**
 * How much of its budgets each encoder has used, by the limiter's last word; for the status page.
 */
import type { Budget } from '../../settings/values/permissions.js'
import type { Counted } from './counter.js'

interface Use {
  remaining: number
  /** When the window ends, by the monotonic clock. */
  untilMs: number
}

/** Grows with the encoders of the settings; a request overwrites values in place. */
export class BudgetUse {
  private readonly encoders = new Map<string, Partial<Record<Budget, Use>>>()

  note(encoder: string, budget: Budget, { remaining, seconds }: Counted): void {
    let uses = this.encoders.get(encoder)
    if (uses === undefined) this.encoders.set(encoder, (uses = {}))
    const use = (uses[budget] ??= { remaining, untilMs: 0 })
    use.remaining = remaining
    use.untilMs = performance.now() + seconds * 1000
  }

  /** The remaining budget in its window; undefined without a current window. */
  remaining(encoder: string, budget: Budget): number | undefined {
    const use = this.encoders.get(encoder)?.[budget]
    return use === undefined || use.untilMs <= performance.now() ? undefined : use.remaining
  }
}
