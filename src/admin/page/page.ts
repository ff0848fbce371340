/** The status page: asks the daemon every two seconds while it is visible. */
import { spanText } from '../../time/span-text.js'
import type { ActivityReport } from '../activity-report.js'
import { setText } from './element.js'
import { showEncoders } from './encoder-table.js'
import { showPlots } from './plots.js'
import type { StatusReport } from '../status-report.js'
import { showRefusals } from './refusals-list.js'
import { type Readiness, setVerdict, showAbsent, showState, showVerdict } from './state.js'
import { clockText, dateText, zoneText } from './words.js'

const pauseMs = 2000
const waitMs = 5000
/** A single late answer is not worth a warning. */
const staleMs = 6000

let isAsking = false
let latest: { readonly activity: ActivityReport; readonly at: number } | undefined

async function ask<T>(path: string): Promise<T> {
  const answer = await fetch(path, { signal: AbortSignal.timeout(waitMs), cache: 'no-store' })
  // Not ready is an answer too.
  if (!answer.ok && answer.status !== 503) throw new Error(`${path}: status ${answer.status}`)
  return (await answer.json()) as T
}

async function refresh(): Promise<void> {
  if (isAsking || document.hidden) return
  isAsking = true
  try {
    const [status, readiness, activity] = await Promise.all([
      ask<StatusReport>('status'),
      ask<Readiness>('readyz'),
      ask<ActivityReport>('activity'),
    ])
    latest = { activity, at: performance.now() }
    document.body.classList.remove('stale')
    showVerdict(readiness, status.alarms ?? [])
    showState(status, activity)
    showPlots(activity, activity.now)
    showRefusals(activity)
    showEncoders(activity)
    setText('updated', `as of ${clockText(activity.now)} ${zoneText(activity.now)}`)
  } catch {
    showAbsence()
  } finally {
    isAsking = false
  }
}

/** The last figures stay, dimmed; the plots continue with a gap. */
function showAbsence(): void {
  if (latest === undefined) {
    setVerdict('the daemon does not answer', 'alarm')
    return
  }
  const { activity, at } = latest
  const ageMs = performance.now() - at
  if (ageMs < staleMs) return
  document.body.classList.add('stale')
  setVerdict(`the daemon has not answered for ${spanText(ageMs)}`, 'alarm')
  setText('updated', `shown is ${dateText(activity.now)} ${zoneText(activity.now)}`)
  showAbsent(activity.now, activity.now + ageMs)
  showPlots(activity, activity.now + ageMs)
}

document.addEventListener('visibilitychange', () => void refresh())
setInterval(() => void refresh(), pauseMs)
void refresh()
