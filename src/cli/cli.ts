/** The command line: which commands there are, and the exit code each ends with. */
import { Command, CommanderError } from 'commander'
import { version, type Io } from './io.js'
import { report } from './report.js'

export type { Io } from './io.js'

/**
 * Runs one command; `argv` is what follows the program's name.
 *
 * @returns 0: done, 1: it failed, 2: it was asked for wrongly
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const outcome: Outcome = { code: 0 }
  try {
    await programOf(io, outcome).parseAsync([...argv], { from: 'user' })
    return outcome.code
  } catch (error) {
    // Commander has written its message already; only help and version end well.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
}

interface Outcome {
  code: number
}

const defaultPath = '/etc/pinwarden/config.json'

const examples = `
Examples:
  $ pinwarden check --config config.json
  $ pinwarden keys add encoder-1 --endpoint https://pins.example.org:9098
  $ pinwarden keys list
  $ pinwarden keys revoke encoder-1 0becc756
  $ pinwarden serve

The file is the one of --config, else of the variable PINWARDEN_CONFIG, else
${defaultPath}. Exit codes: 0 done, 1 failed, 2 wrong usage.`

function programOf(io: Io, outcome: Outcome): Command {
  const program = new Command('pinwarden')
    .description('Authenticating reverse proxy for the public port of an IPFS Cluster host')
    .version(version)
    .exitOverride()
    .showHelpAfterError('hint: --help after a command shows its usage')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => {
        write(`pinwarden: ${text}`)
      },
    })
    .addHelpText('after', examples)

  // The commands are loaded when they run: `keys add` need not wait for a server to load.
  withConfig(program.command('serve'), io)
    .description('serve until SIGTERM')
    .action((options: ConfigOption) =>
      settle(outcome, options, io, async (configPath) => {
        const { serve } = await import('./serve.js')
        return serve({ configPath })
      }),
    )
  withConfig(program.command('check'), io)
    .description('check the configuration and the files it names, and say what is wrong')
    .action((options: ConfigOption) =>
      settle(outcome, options, io, async (configPath) => {
        const { check } = await import('./check.js')
        return check({ configPath }, io)
      }),
    )
  program
    .command('schema')
    .description('print the JSON Schema of the configuration')
    .action(async () => {
      const { publishedSchema } = await import('../settings/document.js')
      io.stdout.write(publishedSchema())
    })
  const keys = program.command('keys').description('keys of encoders')
  addKeys(keys, io, outcome)
  listAndRevokeKeys(keys, io, outcome)
  return program
}

interface KeysAddOption extends ConfigOption {
  readonly expires?: string
  readonly note?: string
  readonly role?: string
  readonly endpoint?: string
}

function addKeys(keys: Command, io: Io, outcome: Outcome): void {
  withConfig(keys.command('add'), io)
    .description('make a key for an encoder, which is created if it is new, and show it once')
    .argument('<name>', 'the encoder')
    .option('--expires <when>', 'such as 90d (also h, w, y), 2027-01-31, 2027-01-31T12:00:00Z')
    .option('--note <text>', 'whatever helps to tell the key from others')
    .option('--role <role>', 'of a new encoder: reader, pinner, operator or one of the file')
    .option('--endpoint <url>', 'where encoders reach the gate, such as https://host:9098')
    .action((encoder: string, options: KeysAddOption) =>
      settle(outcome, options, io, async (configPath) => {
        const { keysAdd } = await import('./keys-add.js')
        const { expires, note, role, endpoint } = options
        return keysAdd({ configPath, encoder, expires, note, role, endpoint }, io)
      }),
    )
}

function listAndRevokeKeys(keys: Command, io: Io, outcome: Outcome): void {
  withConfig(keys.command('list'), io)
    .description('show the keys of one encoder or all, never a secret')
    .argument('[name]', 'the encoder')
    .option('--json', 'as a JSON array')
    .action((encoder: string | undefined, options: ConfigOption & { readonly json?: boolean }) =>
      settle(outcome, options, io, async (configPath) => {
        const { keysList } = await import('./keys-list.js')
        return keysList({ configPath, encoder, json: options.json === true }, io)
      }),
    )
  withConfig(keys.command('revoke'), io)
    .description('take a key away from an encoder, for good')
    .argument('<name>', 'the encoder')
    .argument('<id>', 'of the key, as keys list shows it')
    .action((encoder: string, id: string, options: ConfigOption) =>
      settle(outcome, options, io, async (configPath) => {
        const { keysRevoke } = await import('./keys-revoke.js')
        return keysRevoke({ configPath, encoder, id }, io)
      }),
    )
}

interface ConfigOption {
  readonly config: string
}

function withConfig(command: Command, io: Io): Command {
  // An empty variable counts as absent, as it does in unit files.
  const path = io.env.PINWARDEN_CONFIG
  const fallback = path === undefined || path === '' ? defaultPath : path
  return command.option('-c, --config <file>', 'the configuration file', fallback)
}

async function settle(
  outcome: Outcome,
  { config }: ConfigOption,
  io: Io,
  command: (configPath: string) => Promise<number>,
): Promise<void> {
  try {
    outcome.code = await command(config)
  } catch (error) {
    outcome.code = report(error, config, io)
  }
}
