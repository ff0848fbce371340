/** What all commands share: the option --config, and how a command ends. */
import { type Command, type OptionValues } from 'commander'
import { reportWithConfig } from './config-faults.js'
import type { Io } from './io.js'

export const defaultPath = '/etc/pinwarden/config.json'

export interface ConfigOption extends OptionValues {
  readonly config: string
}

export class CommandLine {
  /** Of the command that ran. */
  exitCode = 0

  constructor(readonly io: Io) {}

  /** Where the configuration is, unless --config says otherwise. */
  get configPath(): string {
    // An empty variable counts as absent, as it does in unit files.
    const { PINWARDEN_CONFIG: path } = this.io.env
    return path === undefined || path === '' ? defaultPath : path
  }

  withConfig(command: Command): Command {
    return command.option('-c, --config <file>', 'the configuration file', this.configPath)
  }

  /** Runs a command; an error is said in words. */
  async end(command: () => Promise<number>, configPath = this.configPath): Promise<void> {
    try {
      this.exitCode = await command()
    } catch (error) {
      this.exitCode = reportWithConfig(error, configPath, this.io)
    }
  }
}

/** Shown below a command's help. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  const text = lines.map((line) => `  $ pinwarden ${line}\n`).join('')
  return command.addHelpText('after', `\nExamples:\n${text.trimEnd()}`)
}
