/** Prints the state of the running daemon as lines of a name and a value. */
import { ledgerText } from '../../admin/ledger-text.js'
import { endpointText, type StatusReport, storeText } from '../../admin/status-report.js'
import { daysText, spanText } from '../../time/span-text.js'
import { askAdmin } from '../ask-admin.js'

export interface Shown extends StatusReport {
  readonly ready: boolean
  /** Why the daemon is not ready. */
  readonly missing: readonly string[]
}

export async function askStatus(where: string): Promise<Shown> {
  const [status, readiness] = await Promise.all([
    askAdmin(where, '/status') as Promise<StatusReport>,
    askAdmin(where, '/readyz') as Promise<Pick<Partial<Shown>, 'ready' | 'missing'>>,
  ])
  const { ready = false, missing = [] } = readiness
  return { ready, missing, ...status }
}

export function statusText(shown: Shown, now: number): string {
  const { settings, certificateExpires: certificate } = shown
  const rows = [
    ['ready', shown.ready ? 'yes' : `no: ${shown.missing.join(', ')}`],
    ...(shown.alarms ?? []).map(({ what, next }) => ['alarm', `${what} ${next}`] as const),
    ...(shown.host === undefined ? [] : [['host', shown.host] as const]),
    ['version', `${shown.version} on Node ${shown.node}`],
    ['up', spanText(now - Date.parse(shown.startedAt))],
    ['gate', `${shown.url}, ${shown.requestsInFlight} requests in flight`],
    ['cluster', shown.endpoints.map(endpointText).join(', ')],
    ...(shown.journal === null ? [] : [['journal', journalText(shown.journal)] as const]),
    ...(shown.ledger === undefined ? [] : [['ledger', ledgerText(shown.ledger)] as const]),
    ...(shown.store === null ? [] : [['store', storeText(shown.store)] as const]),
    ['encoders', String(shown.encoders)],
    ['settings', settingsText(settings)],
    [
      'tls',
      certificate === null
        ? 'off'
        : `until ${certificate} (${daysText(Date.parse(certificate) - now)})`,
    ],
    ['log', shown.logLinesDropped === 0 ? 'complete' : `${shown.logLinesDropped} lines lost`],
  ] as const
  return rows.map(([name, value]) => `${name.padEnd(9)} ${value}\n`).join('')
}

function journalText(journal: NonNullable<StatusReport['journal']>): string {
  const { waiting, replayed, dropped, rejected } = journal
  const wait = waiting === 1 ? '1 pin waiting' : `${waiting} pins wait`
  const words =
    waiting === 0 && dropped === 0
      ? 'empty'
      : `${wait}; ${replayed} replayed and ${dropped} dropped since the start`
  return rejected > 0 ? `${words}; ${rejected} rejected: ${seeRejected}` : words
}

const seeRejected = 'pinwarden journal list --rejected'

function settingsText({ since, isLastRefused, needRestart = [] }: Shown['settings']): string {
  const waiting = needRestart.length === 0 ? '' : `; restart needed for ${needRestart.join(', ')}`
  return `in force since ${since}${isLastRefused ? refused : ''}${waiting}`
}

const refused = '; newer ones were refused: pinwarden check says why'
