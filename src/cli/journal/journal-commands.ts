/** The commands around the journal: pins that were accepted while the cluster was down. */
import type { Command } from 'commander'
import { type CommandLine, type ConfigOption, withExamples } from '../command-line.js'

interface DropOption extends ConfigOption {
  readonly number?: string
  readonly cid?: string
  readonly encoder?: string
  readonly all?: boolean
  readonly rejected?: boolean
}

interface ListOption extends ConfigOption {
  readonly json?: boolean
  readonly rejected?: boolean
}

export function addJournalCommands(program: Command, line: CommandLine): void {
  const journal = program
    .command('journal')
    .description('pins that were accepted while the cluster was down')
  const list = line
    .withConfig(journal.command('list'))
    .description('list pins that wait, also while no daemon runs')
    .option('--json', 'as JSON, one pin a line, with all of its options')
    .option('--rejected', 'list pins that the cluster refused for good, with its reason')
    .action(({ config, json, rejected }: ListOption) =>
      line.end(async () => {
        const { journalList } = await import('./journal-list.js')
        const which = { json: json === true, rejected: rejected === true }
        return journalList({ configPath: config, ...which }, line.io)
      }, config),
    )
  withExamples(list, 'journal list', 'journal list --rejected')
  const replay = line
    .withConfig(journal.command('replay'))
    .description('retry now the pins that failed so far')
    .action(({ config }: ConfigOption) =>
      line.end(async () => {
        const { journalReplay } = await import('./journal-change.js')
        return journalReplay(config, line.io)
      }, config),
    )
  withExamples(replay, 'journal replay')
  const drop = line
    .withConfig(journal.command('drop'))
    .description('drop pins that wait; they are lost')
    .option('--number <number>', 'the pin of this number')
    .option('--cid <cid>', 'all pins of this CID')
    .option('--encoder <name>', 'all pins of this encoder')
    .option('--all', 'all pins that wait')
    .option('--rejected', 'all pins that the cluster refused for good')
    .action(({ config, ...which }: DropOption) =>
      line.end(async () => {
        const { journalDrop } = await import('./journal-change.js')
        return journalDrop({ configPath: config, ...which }, line.io)
      }, config),
    )
  withExamples(
    drop,
    'journal drop --number 17',
    'journal drop --encoder encoder-1',
    'journal drop --rejected',
  )
}
