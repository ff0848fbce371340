/** What can be typed where: the command line as the scripts of all shells are made from it. */
import type { Command, Option } from 'commander'

/** A command, or the program itself, with what may follow it. */
export interface CommandPlace {
  /** Words before, each with a space before it: ` keys add`; empty at the program itself. */
  readonly path: string
  readonly commands: readonly Word[]
  readonly options: readonly Choice[]
  /** Whether an argument is the name of a file. */
  readonly takesFiles: boolean
}

export interface Word {
  readonly name: string
  readonly description: string
}

export interface Choice {
  /** `-c` and `--config`, or one of them. */
  readonly flags: readonly string[]
  readonly description: string
  /** What has to follow. */
  readonly value: 'file' | 'other' | 'none'
}

export function placesOf(program: Command): CommandPlace[] {
  return below(program, '')
}

function below(command: Command, path: string): CommandPlace[] {
  const help = command.createHelp()
  const commands = help.visibleCommands(command)
  const own: CommandPlace = {
    path,
    commands: commands.map((each) => ({ name: each.name(), description: each.description() })),
    options: help.visibleOptions(command).map(choiceOf),
    takesFiles: command.registeredArguments.some((argument) => files.has(argument.name())),
  }
  return [own, ...commands.flatMap((each) => below(each, `${path} ${each.name()}`))]
}

/** The arguments that are files. */
const files = new Set(['file', 'plan'])

function choiceOf({ short, long, flags, description, required }: Option): Choice {
  const value = flags.includes('<file>') ? 'file' : required ? 'other' : 'none'
  const names = [short, long].filter((flag) => flag !== undefined)
  return { flags: names, description, value }
}

/** All flags after which a file, or some other value, is typed. */
export const flagsWith = ({ options }: CommandPlace, wanted: Choice['value']): string[] =>
  options.filter(({ value }) => value === wanted).flatMap(({ flags }) => flags)
