/** The commands around pins: who holds them, and what an operator does to that. */
import type { Command } from 'commander'
import { type CommandLine, type ConfigOption, withExamples } from '../command-line.js'

export function addPinCommands(program: Command, line: CommandLine): void {
  const pins = program.command('pins').description('pins, and who holds them')
  addViews(pins, line)
  addChanges(pins, line)
  addRelease(pins, line)
  addPlan(pins, line)
  addApply(pins, line)
}

interface JsonOption extends ConfigOption {
  readonly json?: boolean
}

function addViews(pins: Command, line: CommandLine): void {
  const list = line
    .withConfig(pins.command('list'))
    .description('list the CIDs that an encoder holds')
    .requiredOption('--encoder <name>', 'the encoder')
    .option('--json', 'as JSON, one pin a line')
    .action(({ config, encoder, json }: JsonOption & { readonly encoder: string }) =>
      line.end(async () => {
        const { pinsList } = await import('./pins-view.js')
        return pinsList({ configPath: config, encoder, json: json === true }, line.io)
      }, config),
    )
  withExamples(list, 'pins list --encoder encoder-1', 'pins list --encoder encoder-1 --json')
  const show = line
    .withConfig(pins.command('show'))
    .description('show who holds a pin, since when and until when')
    .argument('<cid>', 'the pin')
    .option('--json', 'as JSON')
    .action((cid: string, { config, json }: JsonOption) =>
      line.end(async () => {
        const { pinsShow } = await import('./pins-view.js')
        return pinsShow({ configPath: config, cid, json: json === true }, line.io)
      }, config),
    )
  withExamples(show, 'pins show QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG')
}

interface AdoptOption extends ConfigOption {
  readonly encoder: string
  readonly cids?: string
  readonly fromLog?: string
}

function addChanges(pins: Command, line: CommandLine): void {
  const restore = line
    .withConfig(pins.command('restore'))
    .description('restore a pin that was unpinned, within unpin.graceSeconds')
    .argument('<cid>', 'the pin')
    .action((cid: string, { config }: ConfigOption) =>
      line.end(async () => {
        const { pinsRestore } = await import('./pins-change.js')
        return pinsRestore({ configPath: config, cid }, line.io)
      }, config),
    )
  withExamples(restore, 'pins restore QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG')
  const adopt = line
    .withConfig(pins.command('adopt'))
    .description('give pins that were made before to an encoder; the operator no longer holds them')
    .requiredOption('--encoder <name>', 'the encoder that gets them')
    .option('--cids <file>', 'a CID a line; - for standard input')
    .option('--from-log <file>', 'an access log: what the encoder pinned and did not unpin')
    .action(({ config, ...options }: AdoptOption) =>
      line.end(async () => {
        const { pinsAdopt } = await import('./pins-change.js')
        return pinsAdopt({ configPath: config, ...options }, line.io)
      }, config),
    )
  withExamples(
    adopt,
    'pins adopt --encoder encoder-1 --cids cids.txt',
    'pins adopt --encoder encoder-1 --from-log /var/log/pinwarden/access.log',
  )
}

interface ReleaseOption extends ConfigOption {
  readonly reason: string
}

function addRelease(pins: Command, line: CommandLine): void {
  const release = line
    .withConfig(pins.command('release'))
    .description('take pins down: end all leases, unpin, and let no repair bring them back')
    .argument('<cid...>', 'the pins')
    .requiredOption('--reason <text>', 'written to the log and the ledger')
    .action((cids: string[], { config, reason }: ReleaseOption) =>
      line.end(async () => {
        const { pinsRelease } = await import('./pins-change.js')
        return pinsRelease({ configPath: config, cids, reason }, line.io)
      }, config),
    )
  withExamples(
    release,
    "pins release QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG --reason 'court order 12/26'",
  )
}

interface PlanOption extends ConfigOption {
  readonly encoder?: string
  readonly removed?: boolean
  readonly ownerless?: boolean
  readonly olderThan?: string
  readonly notRenewedFor?: string
  readonly missing?: boolean
  readonly unexpected?: boolean
  readonly out?: string
}

function addPlan(pins: Command, line: CommandLine): void {
  const plan = line
    .withConfig(pins.command('plan'))
    .description('write a plan of leases to release, or of pins that were changed beside the gate')
    .option('--encoder <name>', 'leases of this encoder')
    .option('--removed', 'leases of encoders that were removed from the configuration')
    .option('--ownerless', "pins without leases, which are the operator's")
    .option('--older-than <time>', 'first pinned longer ago than this: 12h, 90d, 12w, 1y')
    .option('--not-renewed-for <time>', 'no holder has renewed the pin for this time')
    .option('--missing', 'pins that are owed, and that the cluster does not have')
    .option('--unexpected', 'pins that were released, and that the cluster has again')
    .option('--out <file>', 'the plan; standard output when absent')
    .action(({ config, ...options }: PlanOption) =>
      line.end(async () => {
        const { pinsPlan } = await import('./pins-plan.js')
        return pinsPlan({ configPath: config, ...options }, line.io)
      }, config),
    )
  withExamples(
    plan,
    'pins plan --removed --out plan.txt',
    'pins plan --encoder encoder-1 --older-than 180d --not-renewed-for 30d',
    'pins plan --missing --out missing.txt',
  )
}

interface ApplyOption extends ConfigOption {
  readonly rate?: string
  readonly asIs?: boolean
}

function addApply(pins: Command, line: CommandLine): void {
  const apply = line
    .withConfig(pins.command('apply'))
    .description('carry out a plan, except for pins that changed since; continues where it stopped')
    .argument('<plan>', 'the file')
    .option('--rate <number>', 'lines a second at most (default 20; 200 of --missing)')
    .option('--as-is', 'accept the changes beside the gate: the ledger takes them over')
    .action((file: string, { config, ...options }: ApplyOption) =>
      line.end(async () => {
        const { pinsApply } = await import('./pins-apply.js')
        return pinsApply({ configPath: config, file, ...options }, line.io)
      }, config),
    )
  withExamples(apply, 'pins apply plan.txt', 'pins apply missing.txt --rate 500')
}
