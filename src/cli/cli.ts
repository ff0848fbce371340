/** The command line: its commands and exit codes. */
import { Command, CommanderError } from 'commander'
import { CommandLine, defaultPath } from './command-line.js'
import { addDaemonCommands } from './daemon-commands.js'
import { addEncoderCommands } from './encoders/encoders-commands.js'
import { version } from '../daemon/version.js'
import { escapingIo, type Io } from './io.js'
import { addKeyCommands } from './keys/keys-commands.js'
import { addJournalCommands } from './journal/journal-commands.js'
import { addLedgerCommands } from './ledger/ledger-commands.js'
import { addPinCommands } from './pins/pins-commands.js'
import { addSetupCommands } from './setup.js'

export type { Io } from './io.js'

/**
 * Runs one command; `argv` follows the program's name.
 * @returns 0: done, 1: failed, 2: wrong usage
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const line = new CommandLine(escapingIo(io))
  try {
    await programOf(line).parseAsync([...argv], { from: 'user' })
    return line.exitCode
  } catch (error) {
    // Commander has written its message already; only help and version end well.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
}

const epilogue = `
Examples:
  $ pinwarden init
  $ pinwarden keys add encoder-1 --endpoint https://pins.example.org:9098
  $ pinwarden check
  $ pinwarden serve

The configuration is --config FILE, else the variable PINWARDEN_CONFIG, else
${defaultPath}. Exit codes: 0 done, 1 failed, 2 wrong usage.
Add --help to a command for more examples.`

/** All commands; none of their code is loaded before it runs. */
export function programOf(line: CommandLine): Command {
  const { io } = line
  const program = new Command('pinwarden')
    .description('Authenticating reverse proxy for the public port of an IPFS Cluster host')
    .version(version)
    .exitOverride()
    .showHelpAfterError('hint: add --help to a command to see its usage')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => {
        write(`pinwarden: ${text}`)
      },
    })
    .addHelpText('after', epilogue)
  // Each command's code is loaded when it runs: `keys add` need not wait for a server to load.
  addDaemonCommands(program, line)
  addKeyCommands(program, line)
  addEncoderCommands(program, line)
  addPinCommands(program, line)
  addJournalCommands(program, line)
  addLedgerCommands(program, line)
  addSetupCommands(program, line)
  return program
}
