/** Shared by all commands: the option --config, calling their code, and exit codes. */
import type { Command, Option } from 'commander'
import { reportWithConfig } from './config-faults.js'
import type { Io } from './io.js'
import { UsageError } from './report.js'

export const defaultPath = '/etc/pinwarden/config.json'

/** What the code of every command with --config gets, in addition to its arguments and options. */
export interface Called {
  readonly configPath: string
}

export interface JsonCalled extends Called {
  readonly json: boolean
}

export class CommandLine {
  /** Exit code of the command that ran. */
  exitCode = 0

  constructor(readonly io: Io) {}

  /** Where the configuration is, unless --config says otherwise. */
  get configPath(): string {
    // An empty variable counts as absent, as it does in unit files.
    const { PINWARDEN_CONFIG: path } = this.io.env
    return path === undefined || path === '' ? defaultPath : path
  }

  /**
   * Adds a command with --config; the caller adds its arguments and options.
   *
   * @param load the command's code, which is loaded when it is called: with arguments and options
   *   by their names, `false` for what is only given or not
   * @param names other names of these
   */
  add(
    parent: Command,
    name: string,
    about: string,
    load: () => Promise<(options: never, io: Io) => Promise<number>>,
    names: Readonly<Record<string, string>> = {},
  ): Command {
    const command = parent
      .command(name)
      .description(about)
      .option('-c, --config <file>', 'the configuration file', this.configPath)
    return command.action(async () => {
      const { config: configPath, ...given } = command.opts<{ readonly config: string }>()
      const flags = command.options.filter((option) => isFlag(option, command.options))
      const args: readonly unknown[] = command.processedArgs
      const options = [
        ...flags.map((flag) => [flag.attributeName(), false] as const),
        ...Object.entries(given),
        ...command.registeredArguments.map((one, at) => [one.name(), args[at]] as const),
      ].map(([name, value]) => [names[name] ?? name, value] as const)
      const called = { ...Object.fromEntries(options), configPath } as never
      await this.end(async () => {
        if (configPath === '') throw new UsageError('--config is empty', `default: ${defaultPath}`)
        return (await load())(called, this.io)
      }, configPath)
    })
  }

  /** Runs a command; an error becomes a message. */
  async end(command: () => Promise<number>, configPath = this.configPath): Promise<void> {
    try {
      this.exitCode = await command()
    } catch (error) {
      this.exitCode = reportWithConfig(error, configPath, this.io)
    }
  }
}

/** Whether an option is given or not, and has no other side: `--json`, but not `--no-color`. */
const isFlag = (option: Option, all: readonly Option[]): boolean =>
  option.isBoolean() &&
  !all.some((other) => other.negate && other.attributeName() === option.attributeName())

/** Shown below a command's help. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  const text = lines.map((line) => `  $ pinwarden ${line}\n`).join('')
  return command.addHelpText('after', `\nExamples:\n${text.trimEnd()}`)
}
