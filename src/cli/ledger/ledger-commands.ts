/** The commands around the ledger: whether it is whole, a copy of it, and what a copy is. */
import type { Command } from 'commander'
import { type CommandLine, type ConfigOption, withExamples } from '../command-line.js'

export function addLedgerCommands(program: Command, line: CommandLine): void {
  const ledger = program
    .command('ledger')
    .description('the file of promises to encoders: leases, pins that wait, doubts')
  const checking = line
    .withConfig(ledger.command('check'))
    .description('read the whole ledger and report damage, also while no daemon runs')
    .option('--json', 'as JSON')
    .action(({ config, json }: ConfigOption & { readonly json?: boolean }) =>
      line.end(async () => {
        const { ledgerCheck } = await import('./ledger-check.js')
        return ledgerCheck({ configPath: config, json: json === true }, line.io)
      }, config),
    )
  withExamples(checking, 'ledger check')
  const backup = line
    .withConfig(ledger.command('backup'))
    .description('copy the ledger to a new file, also while the daemon writes to it')
    .argument('<file>', 'the new file, mode 0600')
    .action((file: string, { config }: ConfigOption) =>
      line.end(async () => {
        const { ledgerBackup } = await import('./ledger-backup.js')
        return ledgerBackup({ configPath: config, file }, line.io)
      }, config),
    )
  withExamples(backup, 'ledger backup /var/backups/pinwarden-ledger.db')
  const trust = line
    .withConfig(ledger.command('trust'))
    .description('make a restored backup the ledger again; the daemon must not run')
    .action(({ config }: ConfigOption) =>
      line.end(async () => {
        const { ledgerTrust } = await import('./ledger-trust.js')
        return ledgerTrust(config, line.io)
      }, config),
    )
  withExamples(trust, 'ledger trust')
  const forget = line
    .withConfig(ledger.command('forget'))
    .description('tell all gates that another one was removed for good, so that none waits for it')
    .argument('<gate>', 'id of the gate, as pinwarden status shows it')
    .action((gateId: string, { config }: ConfigOption) =>
      line.end(async () => {
        const { ledgerForget } = await import('./ledger-trust.js')
        return ledgerForget({ configPath: config, gateId }, line.io)
      }, config),
    )
  withExamples(forget, 'ledger forget x3k9q2ab')
}
