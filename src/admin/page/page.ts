/** The status page: asks the daemon every two seconds while it is looked at. */
import type { ActivityReport } from '../activity-report.js'
import { setText } from './element.js'
import { showEncoders } from './encoder-table.js'
import { showPlots } from './plots.js'
import type { StatusReport } from '../status-report.js'
import { type Readiness, setVerdict, showState, showVerdict } from './state.js'
import { showTroubles } from './troubles.js'

const pauseMs = 2000
const waitMs = 5000

let isAsking = false
let answeredAt: Date | undefined

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
    showVerdict(readiness)
    showState(status, activity, readiness)
    showPlots(activity)
    showEncoders(activity)
    showTroubles(activity)
    answeredAt = new Date()
    setText('updated', '')
  } catch {
    setVerdict('no answer of the daemon', false)
    setText(
      'updated',
      answeredAt === undefined ? '' : `shown is ${answeredAt.toLocaleTimeString()}`,
    )
  } finally {
    isAsking = false
  }
}

document.addEventListener('visibilitychange', () => void refresh())
setInterval(() => void refresh(), pauseMs)
void refresh()
