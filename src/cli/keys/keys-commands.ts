/** The commands around keys: make, show, replace and take away. */
import type { Command } from 'commander'
import { type CommandLine, type ConfigOption, withExamples } from '../command-line.js'

export function addKeyCommands(program: Command, line: CommandLine): void {
  const keys = program.command('keys').description('keys of encoders')
  addAdd(keys, line)
  addList(keys, line)
  addRotate(keys, line)
  addRevoke(keys, line)
}

interface NewKeyOption extends ConfigOption {
  readonly expires?: string
  readonly note?: string
  readonly endpoint?: string
  readonly json?: boolean
}

interface AddOption extends NewKeyOption {
  readonly role?: string
  readonly new?: boolean
  readonly ifMissing?: boolean
}

const withNewKey = (command: Command): Command =>
  command
    .option('--expires <when>', 'such as 90d (also h, w, y), 2027-01-31, 2027-01-31T12:00:00Z')
    .option('--note <text>', 'text that tells the key from others')
    .option(
      '--endpoint <url>',
      'URL at which encoders reach the gate, in place of listen.publicUrl',
    )
    .option('--json', 'as JSON, the key in it')

function addAdd(keys: Command, line: CommandLine): void {
  const command = withNewKey(line.withConfig(keys.command('add')))
    .description('make a key for an encoder, new or existing, and show it once')
    .argument('<name>', 'the encoder')
    .option('--role <role>', 'role of a new encoder: reader, pinner, operator or one of the file')
    .option('--new', 'create the encoder, although another one has nearly the same name')
    .option('--if-missing', 'only if the encoder has no live key (with --note: none of that note)')
    .action((encoder: string, options: AddOption) =>
      line.end(async () => {
        const { keysAdd } = await import('./keys-add.js')
        const { config: configPath, expires, note, role, endpoint } = options
        const [isNew, ifMissing] = [options.new === true, options.ifMissing === true]
        const asked = { encoder, expires, note, role, endpoint, isNew, ifMissing }
        return keysAdd({ configPath, ...asked, json: options.json === true }, line.io)
      }, options.config),
    )
  withExamples(
    command,
    'keys add encoder-1',
    'keys add encoder-1 --if-missing --json',
    'keys add watcher --role reader --expires 90d --note "the dashboard"',
  )
}

function addList(keys: Command, line: CommandLine): void {
  const command = line
    .withConfig(keys.command('list'))
    .description('show the keys of one encoder or all, without the secrets')
    .argument('[name]', 'the encoder')
    .option('--json', 'as a JSON array')
    .action((encoder: string | undefined, options: ConfigOption & { readonly json?: boolean }) =>
      line.end(async () => {
        const { keysList } = await import('./keys-list.js')
        const { config, json } = options
        return keysList({ configPath: config, encoder, json: json === true }, line.io)
      }, options.config),
    )
  withExamples(command, 'keys list', 'keys list encoder-1 --json')
}

function addRotate(keys: Command, line: CommandLine): void {
  const command = withNewKey(line.withConfig(keys.command('rotate')))
    .description('make a new key for an encoder and let the old one expire after a grace')
    .argument('<name>', 'the encoder')
    .argument('[id]', 'id of the old key; optional when only one is live')
    .option('--grace <time>', 'how long the old key stays valid: such as 12h, 7d, 2w, or 0', '7d')
    .action((encoder: string, id: string | undefined, options: NewKeyOption & { grace: string }) =>
      line.end(async () => {
        const { keysRotate } = await import('./keys-rotate.js')
        const { config, grace, expires, note, endpoint, json } = options
        const rotation = { encoder, id, grace, expires, note, endpoint, json: json === true }
        return keysRotate({ configPath: config, ...rotation }, line.io)
      }, options.config),
    )
  withExamples(command, 'keys rotate encoder-1', 'keys rotate encoder-1 0becc756 --grace 12h')
}

function addRevoke(keys: Command, line: CommandLine): void {
  const command = line
    .withConfig(keys.command('revoke'))
    .description('revoke a key of an encoder, for good')
    .argument('<name>', 'the encoder')
    .argument('<id>', 'id of the key, as keys list shows it')
    .action((encoder: string, id: string, { config }: ConfigOption) =>
      line.end(async () => {
        const { keysRevoke } = await import('./keys-revoke.js')
        return keysRevoke({ configPath: config, encoder, id }, line.io)
      }, config),
    )
  withExamples(command, 'keys revoke encoder-1 0becc756')
}
