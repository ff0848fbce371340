/** The state of the ledger in words, for `pinwarden status` and the status page. */
import type { LedgerStatus } from '../ledger/ledger-metrics.js'
import { spanText } from '../time/span-text.js'

export function ledgerText(ledger: LedgerStatus): string {
  const { repairs, reportedRows, doubts, oldestDoubtMs = 0 } = ledger
  const repaired = repairs.missing + repairs.unexpected
  const { missing, unexpected } = reportedRows
  const undecided = (ledger.undecided?.missing ?? 0) + (ledger.undecided?.unexpected ?? 0)
  return [
    `${ledger.owedRows} pins owed`,
    ...(ledger.isCopy
      ? ['a copy: the gate makes no repairs from it before pinwarden ledger trust']
      : []),
    ...(ledger.isWritable ? [] : ['not writable']),
    ...(ledger.isWalking ? ['verifying recent writes'] : []),
    ...(doubts > 0 ? [`${doubts} in doubt, the oldest for ${spanText(oldestDoubtMs)}`] : []),
    ...(repaired > 0 ? [`${repaired} repaired since the start`] : []),
    ...(missing > 0 ? [`${missing} missing`] : []),
    ...(unexpected > 0 ? [`${unexpected} unexpected`] : []),
    ...(undecided > 0 ? [`${undecided} differ, but are too recent or in doubt to be judged`] : []),
  ].join('; ')
}

/** Whether an operator has to act. */
export const isLedgerAlarm = ({ isCopy, isWritable, reportedRows }: LedgerStatus): boolean =>
  isCopy || !isWritable || reportedRows.missing + reportedRows.unexpected > 0
