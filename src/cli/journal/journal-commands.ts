/** The commands for the journal: pins that were accepted while the cluster was down. */
import type { Command } from 'commander'
import { type CommandLine, withExamples } from '../command-line.js'

export function addJournalCommands(program: Command, line: CommandLine): void {
  const journal = program
    .command('journal')
    .description('pins that were accepted while the cluster was down')
  const list = async () => (await import('./journal-list.js')).journalList
  withExamples(
    line
      .add(journal, 'list', 'list waiting pins; works without a daemon too', list)
      .option('--json', 'as JSON, one pin per line, with all options')
      .option('--rejected', 'list pins that the cluster permanently refused, and why'),
    'journal list',
    'journal list --rejected',
  )
  const replay = async () => (await import('./journal-change.js')).journalReplay
  withExamples(
    line.add(journal, 'replay', 'retry the pins that have failed so far', replay),
    'journal replay',
  )
  const drop = async () => (await import('./journal-change.js')).journalDrop
  withExamples(
    line
      .add(journal, 'drop', 'drop waiting pins; they are lost', drop)
      .option('--number <number>', 'the pin of this number')
      .option('--cid <cid>', 'all pins of this CID')
      .option('--encoder <name>', 'all pins of this encoder')
      .option('--all', 'all waiting pins')
      .option('--rejected', 'all pins that the cluster permanently refused'),
    'journal drop --number 17',
    'journal drop --encoder encoder-1',
    'journal drop --rejected',
  )
}
