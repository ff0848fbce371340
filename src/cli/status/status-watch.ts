/** `pinwarden status --watch`: refreshes the daemon's state and the activity of its encoders. */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { durationText, spanText } from '../../time/span-text.js'
import type { ActivityReport, Counts } from '../../admin/activity-report.js'
import { askAdmin } from '../ask-admin.js'
import type { Io } from '../io.js'
import { CommandError, UsageError } from '../report.js'
import { askStatus, type Shown, statusText } from './status-view.js'
import { table } from '../text-table.js'

export interface Watching {
  /** A URL, or the path of a socket. */
  readonly where: string
  readonly everyMs: number
  /** One document a line. */
  readonly json: boolean
  /** Ends the watching, as Ctrl-C does. */
  readonly signal?: AbortSignal | undefined
}

/** Shows a daemon that does not answer as such, and asks again. */
export async function watchStatus(watching: Watching, io: Io): Promise<number> {
  const { where, everyMs, json } = watching
  const ending = new AbortController()
  const others = [watching.signal, io.readerLeft].filter((signal) => signal !== undefined)
  const signal = AbortSignal.any([ending.signal, ...others])
  void once(process, 'SIGINT', { signal }).then(
    () => {
      ending.abort()
    },
    () => undefined,
  )
  while (!signal.aborted) {
    const view = await viewOf(where)
    if (json) io.stdout.write(`${JSON.stringify(documentOf(view))}\n`)
    else {
      if (io.stdout.isTTY === true) (io.stdout.bare ?? io.stdout).write(clear)
      io.stdout.write(textOf(view))
    }
    await setTimeout(everyMs, undefined, { signal }).catch(() => undefined)
  }
  ending.abort()
  return 0
}

/** @returns milliseconds */
export function intervalOf(seconds: string): number {
  const number = /^\d{1,4}(\.\d)?$/.test(seconds) ? Number(seconds) : NaN
  if (number >= 0.1 && number <= 3600) return number * 1000
  throw new UsageError(`--watch ${seconds} is not a number of seconds`, '0.1 to 3600')
}

/** Moves the cursor to the upper left, and clears the screen. */
const clear = '\x1b[H\x1b[J'

type View =
  { readonly shown: Shown; readonly activity: ActivityReport } | { readonly silent: string }

async function viewOf(where: string): Promise<View> {
  try {
    const [shown, activity] = await Promise.all([
      askStatus(where),
      askAdmin(where, '/activity') as Promise<ActivityReport>,
    ])
    return { shown, activity }
  } catch (error) {
    if (error instanceof CommandError) return { silent: error.message }
    throw error
  }
}

/** Without the series, which only the status page needs. */
function documentOf(view: View): object {
  if ('silent' in view) return { ready: false, error: view.silent }
  const { encoders, strangers } = view.activity
  return { ...view.shown, activity: { encoders, strangers } }
}

const textOf = (view: View): string =>
  'silent' in view
    ? `${view.silent}\n\n`
    : `${statusText(view.shown, Date.now())}\n${encodersText(view.activity)}\n`

const header = [
  'ENCODER',
  'LAST SEEN',
  'REQUESTS',
  'REFUSED',
  'FAILED',
  '99 % WITHIN',
  'LIMITS USED',
]

/** The last hour. Encoders that were not seen in it are in the lists. */
function encodersText({ encoders, strangers, now }: ActivityReport): string {
  const rows = encoders
    .filter(({ lastSeen }) => lastSeen !== null)
    .map(({ name, lastSeen, limits, ...counts }) => [
      name,
      lastSeen === null ? '-' : `${spanText(now - lastSeen)} ago`,
      ...countCells(counts),
      limits
        .filter(({ used }) => used > 0)
        .map(({ budget, used, max }) => `${budget} ${used}/${max}`)
        .join(' ') || '-',
    ])
  if (strangers.requests > 0) rows.push(['(unknown)', '-', ...countCells(strangers), '-'])
  return rows.length === 0 ? 'no requests in the last hour\n' : table(header, rows)
}

const countCells = ({ requests, refused, failed, p99 }: Counts): string[] => [
  String(requests),
  String(refused),
  String(failed),
  p99 === null ? '-' : durationText(p99),
]
