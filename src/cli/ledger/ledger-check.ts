/** `pinwarden ledger check`: checks the ledger for damage, and sums it up. */
import type { LedgerCheck } from '../../ledger/storage/figures.js'
import { askControl } from '../ask-control.js'
import type { JsonCalled } from '../command-line.js'
import { configInUse } from '../config-faults.js'
import type { Io } from '../io.js'
import { withLedger } from '../read-ledger.js'

/** @returns 1 when the ledger is damaged */
export async function ledgerCheck(options: JsonCalled, io: Io): Promise<number> {
  const { config } = await configInUse(options.configPath, io)
  const ask = async () => (await askControl(config, 'GET', '/ledger/check')) as LedgerCheck
  const check = await withLedger(config, ask, (file) => file.check())
  io.stdout.write(options.json ? `${JSON.stringify(check)}\n` : textOf(check))
  return check.problems.length === 0 ? 0 : 1
}

function textOf(check: LedgerCheck): string {
  const { missing, unexpected } = check.reported
  const rows = [
    ['gate', check.gateId],
    ['rows', String(check.rows)],
    ['leases', String(check.leases)],
    ['queue', `${check.queue} waiting, ${check.rejected} rejected`],
    ['doubts', String(check.doubts)],
    ['reported', `${missing} missing, ${unexpected} unexpected`],
    ['bytes', String(check.bytes)],
    [
      'copy',
      check.isCopy ? 'yes: the gate makes no repairs from it before pinwarden ledger trust' : 'no',
    ],
    ...(check.problems.length === 0 ? ['none'] : check.problems).map((each) => ['problem', each]),
  ] as const
  return rows.map(([name = '', value]) => `${name.padEnd(9)} ${value}\n`).join('')
}
