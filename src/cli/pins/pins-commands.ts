/** The commands for pins: who holds them, and operators' changes. */
import type { Command } from 'commander'
import { type CommandLine, withExamples } from '../command-line.js'

export function addPinCommands(program: Command, line: CommandLine): void {
  const pins = program.command('pins').description('pins, and who holds them')
  addViews(pins, line)
  addChanges(pins, line)
  addPlans(pins, line)
}

function addViews(pins: Command, line: CommandLine): void {
  const about = 'list the CIDs that an encoder holds'
  withExamples(
    line
      .add(pins, 'list', about, async () => (await import('./pins-view.js')).pinsList)
      .requiredOption('--encoder <name>', 'the encoder')
      .option('--json', 'as JSON, one pin per line'),
    'pins list --encoder encoder-1',
    'pins list --encoder encoder-1 --json',
  )
  const aboutOne = 'show who holds a pin, since when and until when'
  withExamples(
    line
      .add(pins, 'show', aboutOne, async () => (await import('./pins-view.js')).pinsShow)
      .argument('<cid>', 'the pin')
      .option('--json', 'as JSON'),
    'pins show QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
  )
}

function addChanges(pins: Command, line: CommandLine): void {
  withExamples(
    line
      .add(
        pins,
        'restore',
        'restore a pin that was unpinned, within unpin.graceSeconds',
        async () => (await import('./pins-change.js')).pinsRestore,
      )
      .argument('<cid>', 'the pin'),
    'pins restore QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
  )
  withExamples(
    line
      .add(
        pins,
        'adopt',
        'give older pins to an encoder; the operator no longer holds them',
        async () => (await import('./pins-change.js')).pinsAdopt,
      )
      .requiredOption('--encoder <name>', 'the encoder that gets them')
      .option('--cids <file>', 'a file with one CID per line; - for standard input')
      .option(
        '--from-log <file>',
        'an access log: the pins that the encoder made and did not unpin',
      ),
    'pins adopt --encoder encoder-1 --cids cids.txt',
    'pins adopt --encoder encoder-1 --from-log /var/log/pinwarden/access.log',
  )
  withExamples(
    line
      .add(
        pins,
        'release',
        'take pins down: end all leases, unpin, and let no repair bring them back',
        async () => (await import('./pins-change.js')).pinsRelease,
        { cid: 'cids' },
      )
      .argument('<cid...>', 'the pins')
      .requiredOption('--reason <text>', 'the reason, for the log and the ledger'),
    "pins release QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG --reason 'court order 12/26'",
  )
}

function addPlans(pins: Command, line: CommandLine): void {
  withExamples(
    line
      .add(
        pins,
        'plan',
        'write a plan of leases to release, or of pins that were changed outside the gate',
        async () => (await import('./pins-plan.js')).pinsPlan,
      )
      .option('--encoder <name>', 'leases of this encoder')
      .option('--removed', 'leases of encoders that were removed from the configuration')
      .option('--ownerless', "pins without leases, which are the operator's")
      .option(
        '--older-than <time>',
        'pins that were first pinned longer ago than this: 12h, 90d, 12w, 1y',
      )
      .option('--not-renewed-for <time>', 'pins that no holder has renewed for this time')
      .option('--missing', 'pins that are owed, but missing in the cluster')
      .option('--unexpected', 'pins that were released, but are in the cluster again')
      .option('--out <file>', 'file for the plan; default: standard output'),
    'pins plan --removed --out plan.txt',
    'pins plan --encoder encoder-1 --older-than 180d --not-renewed-for 30d',
    'pins plan --missing --out missing.txt',
  )
  withExamples(
    line
      .add(
        pins,
        'apply',
        'carry out a plan, skipping pins that have changed since; continues where it stopped',
        async () => (await import('./pins-apply.js')).pinsApply,
        { plan: 'file' },
      )
      .argument('<plan>', 'the file')
      .option(
        '--rate <number>',
        'maximum number of lines per second (default 20; 200 for --missing)',
      )
      .option('--as-is', 'accept the changes made outside the gate: the ledger adopts them'),
    'pins apply plan.txt',
    'pins apply missing.txt --rate 500',
  )
}
