/** The commands for encoders: list, enable, disable and remove. */
import type { Command } from 'commander'
import { type CommandLine, withExamples } from '../command-line.js'

export function addEncoderCommands(program: Command, line: CommandLine): void {
  const encoders = program.command('encoders').description('encoders of the configuration')
  const about = 'show all encoders with their permissions and their last requests'
  const list = async () => (await import('./encoders-list.js')).encodersList
  withExamples(
    line.add(encoders, 'list', about, list).option('--json', 'as a JSON array'),
    'encoders list',
    'encoders list --json',
  )
  for (const { name, description } of changes) {
    const change = async () => (await import('./encoders-change.js')).encoderChange(name)
    withExamples(
      line
        .add(encoders, name, description, change, { name: 'encoder' })
        .argument('<name>', 'the encoder'),
      `encoders ${name} encoder-1`,
    )
  }
}

const changes = [
  { name: 'enable', description: 'let an encoder in again' },
  { name: 'disable', description: 'refuse every key of an encoder until it is enabled again' },
  { name: 'remove', description: 'remove an encoder and all its keys from the file, for good' },
] as const
