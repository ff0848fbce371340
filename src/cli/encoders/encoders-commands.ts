/** The commands around encoders: show, switch on and off, take away. */
import type { Command } from 'commander'
import { type CommandLine, type ConfigOption, withExamples } from '../command-line.js'

export function addEncoderCommands(program: Command, line: CommandLine): void {
  const encoders = program.command('encoders').description('encoders of the configuration')
  const list = line
    .withConfig(encoders.command('list'))
    .description('show all encoders with their permissions and their last requests')
    .option('--json', 'as a JSON array')
    .action(({ config, json }: ConfigOption & { readonly json?: boolean }) =>
      line.end(async () => {
        const { encodersList } = await import('./encoders-list.js')
        return encodersList({ configPath: config, json: json === true }, line.io)
      }, config),
    )
  withExamples(list, 'encoders list', 'encoders list --json')
  for (const { name, description } of changes) {
    const command = line
      .withConfig(encoders.command(name))
      .description(description)
      .argument('<name>', 'the encoder')
      .action((encoder: string, { config }: ConfigOption) =>
        line.end(async () => {
          const { changeEncoder } = await import('./encoders-change.js')
          return changeEncoder(name, { configPath: config, encoder }, line.io)
        }, config),
      )
    withExamples(command, `encoders ${name} encoder-1`)
  }
}

const changes = [
  { name: 'enable', description: 'let an encoder in again' },
  { name: 'disable', description: 'refuse every key of an encoder until it is enabled again' },
  { name: 'remove', description: 'remove an encoder and all its keys from the file, for good' },
] as const
