/** The commands for the ledger: check, backup, trust and forget. */
import type { Command } from 'commander'
import { type CommandLine, withExamples } from '../command-line.js'

export function addLedgerCommands(program: Command, line: CommandLine): void {
  const ledger = program
    .command('ledger')
    .description('the file of what the gate owes to encoders: leases, waiting pins, doubts')
  const aboutCheck = 'read the whole ledger and report damage; works without a daemon too'
  const check = async () => (await import('./ledger-check.js')).ledgerCheck
  withExamples(
    line.add(ledger, 'check', aboutCheck, check).option('--json', 'as JSON'),
    'ledger check',
  )
  const aboutBackup = 'copy the ledger to a new file, even while the daemon writes to it'
  const backup = async () => (await import('./ledger-backup.js')).ledgerBackup
  withExamples(
    line.add(ledger, 'backup', aboutBackup, backup).argument('<file>', 'the new file, mode 0600'),
    'ledger backup /var/backups/pinwarden-ledger.db',
  )
  const aboutTrust = 'make a restored backup the ledger again; the daemon must not run'
  const trust = async () => (await import('./ledger-trust.js')).ledgerTrust
  withExamples(line.add(ledger, 'trust', aboutTrust, trust), 'ledger trust')
  const aboutForget = 'stop waiting for a gate that was removed for good; informs all other gates'
  const forget = async () => (await import('./ledger-trust.js')).ledgerForget
  withExamples(
    line
      .add(ledger, 'forget', aboutForget, forget, { gate: 'gateId' })
      .argument('<gate>', 'id of the gate, as pinwarden status shows it'),
    'ledger forget x3k9q2ab',
  )
}
