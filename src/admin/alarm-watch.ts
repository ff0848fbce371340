/** Remembers when each alarm began: it checks on a timer, even while no page is open. */
import { hourMs, secondMs } from '../time/units.js'
import type { Activity } from './activity.js'
import { type AlarmFacts, findingsOf } from './alarms.js'
import type { Alarm } from './status-report.js'

/** Gathers the input of each check. */
export type Gathered = Omit<AlarmFacts, 'now' | 'recent' | 'lostLines' | 'bugs'> & {
  /** Since the start. */
  readonly linesDropped: number
}

const lookMs = 10 * secondMs
const recentMs = 5 * 60 * secondMs

export class AlarmWatch {
  /** By the clock of the activity. */
  private readonly seen = new Map<string, number>()
  private lines = { before: 0, latest: 0, roseAt: -Infinity }
  private timer: NodeJS.Timeout | undefined

  /** @param onError gets the error of a check that failed */
  constructor(
    private readonly activity: Activity,
    private readonly gather: () => Promise<Gathered>,
    private readonly onError: (error: unknown) => void,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.look().catch(this.onError), lookMs)
    this.timer.unref()
  }

  close(): void {
    clearInterval(this.timer)
  }

  /** The most urgent first, and of those the newest. */
  async look(): Promise<{ alarms: readonly Alarm[]; status: Gathered['status'] }> {
    const { linesDropped, ...gathered } = await this.gather()
    const [now, steadyNow] = [Date.now(), this.activity.now()]
    const findings = findingsOf({
      ...gathered,
      now,
      recent: this.recent(steadyNow),
      lostLines: this.lost(linesDropped, steadyNow),
      bugs: this.bugs(steadyNow),
    })
    const ids = new Set(findings.map(({ id }) => id))
    for (const id of this.seen.keys()) if (!ids.has(id)) this.seen.delete(id)
    const alarms = findings.map((finding) => {
      const seen = this.seen.get(finding.id) ?? steadyNow
      this.seen.set(finding.id, seen)
      return { ...finding, since: finding.since ?? this.activity.timeOf(seen, now) }
    })
    return { alarms, status: gathered.status }
  }

  private recent(steadyNow: number) {
    const { series } = this.activity
    const steps = series.until(steadyNow).slice(-recentMs / series.stepMs)
    return {
      asked: steps.reduce((sum, step) => sum + (step?.requests ?? 0), 0),
      failed: steps.reduce((sum, step) => sum + (step?.failed ?? 0), 0),
    }
  }

  /** The increase of a rising count within an hour of its last rise. */
  private lost(count: number, steadyNow: number): number {
    const { lines } = this
    if (count > lines.latest) lines.roseAt = steadyNow
    lines.latest = count
    if (steadyNow - lines.roseAt > hourMs) lines.before = count
    return count - lines.before
  }

  private bugs(steadyNow: number): number {
    const groups = this.activity.problems().filter(({ reason }) => reason === 'bug')
    return groups.reduce(
      (sum, { latest }) => sum + latest.filter(({ time }) => steadyNow - time < hourMs).length,
      0,
    )
  }
}
