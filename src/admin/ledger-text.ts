/** The state of the ledger in words, for `pinwarden status` and the status page. */
import type { LedgerStatus } from '../ledger/ledger-metrics.js'
import { spanText } from '../time/span-text.js'
import { minuteMs } from '../time/units.js'
import type { Alarm } from './status-report.js'

export function ledgerText(ledger: LedgerStatus): string {
  const { repairs, reportedRows, doubts, oldestDoubtMs = 0 } = ledger
  const repaired = repairs.missing + repairs.unexpected
  const { missing, unexpected } = reportedRows
  return [
    `${ledger.owedRows} pins owed`,
    ...(ledger.isCopy
      ? ['a copy: the gate makes no repairs from it before pinwarden ledger trust']
      : []),
    ...(clocksText(ledger) ?? []),
    ...(ledger.isWritable ? [] : ['not writable']),
    ...(ledger.isWalking ? ['verifying recent writes'] : []),
    ...(doubts > 0 ? [`${doubts} in doubt, the oldest for ${spanText(oldestDoubtMs)}`] : []),
    ...(repaired > 0 ? [`${repaired} repaired since the start`] : []),
    ...(missing > 0 ? [`${missing} missing`] : []),
    ...(unexpected > 0 ? [`${unexpected} unexpected`] : []),
  ].join('; ')
}

/** Undefined: the clocks agree. */
function clocksText({ clockAheadMs = 0 }: LedgerStatus): readonly [string] | undefined {
  if (Math.abs(clockAheadMs) <= minuteMs) return undefined
  const side = clockAheadMs > 0 ? 'behind' : 'ahead of'
  return [`clock ${spanText(Math.abs(clockAheadMs))} ${side} the cluster's`]
}

/** An alarm if the clocks of this host and the cluster differ. */
export const clockFindings = (ledger: LedgerStatus): readonly Omit<Alarm, 'since'>[] =>
  (clocksText(ledger) ?? []).map((text) => ({
    id: 'clocks-differ',
    severity: 'urgent',
    what: `This host has its ${text}.`,
    cause: 'This machine, or the cluster. Pins that expire may be refused, or end too early.',
    next: 'On both hosts: timedatectl status; use NTP. The next read of a pin measures it again.',
  }))

/** Whether an operator has to act. */
export const isLedgerAlarm = ({ isCopy, isWritable, reportedRows }: LedgerStatus): boolean =>
  isCopy || !isWritable || reportedRows.missing + reportedRows.unexpected > 0
