/**
 * What each encoder uses now: its requests in flight, and of its budgets the limiter's last word,
 * for the status page.
 */
import type { Budget } from '../../settings/values/permissions.js'
import type { Counted } from './counter.js'

type Left = Pick<Counted, 'remaining' | 'ttlInSeconds'>

interface Use {
  remaining: number
  /** When the window ends, by the monotonic clock. */
  untilMs: number
}

/** One encoder's; values are overwritten in place. */
export class EncoderUse {
  inFlight = 0
  private readonly budgets: Partial<Record<Budget, Use>> = {}

  note(budget: Budget, { remaining, ttlInSeconds }: Left): void {
    const use = (this.budgets[budget] ??= { remaining, untilMs: 0 })
    use.remaining = remaining
    use.untilMs = performance.now() + ttlInSeconds * 1000
  }

  remaining(budget: Budget): number | undefined {
    const use = this.budgets[budget]
    return use === undefined || use.untilMs <= performance.now() ? undefined : use.remaining
  }
}

/** Grows with the encoders of the settings. */
export class BudgetUse {
  private readonly encoders = new Map<string, EncoderUse>()

  of(encoder: string): EncoderUse {
    let use = this.encoders.get(encoder)
    if (use === undefined) this.encoders.set(encoder, (use = new EncoderUse()))
    return use
  }

  /** The remaining budget in its window; undefined without a current window. */
  remaining(encoder: string, budget: Budget): number | undefined {
    return this.encoders.get(encoder)?.remaining(budget)
  }
}
