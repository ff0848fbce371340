/** The commands for keys: add, list, rotate and revoke. */
import type { Command } from 'commander'
import { type CommandLine, withExamples } from '../command-line.js'

const names = { name: 'encoder', new: 'isNew' }

export function addKeyCommands(program: Command, line: CommandLine): void {
  const keys = program.command('keys').description('keys of encoders')
  const aboutAdd = 'make a key for a new or existing encoder, and show it once'
  const add = async () => (await import('./keys-add.js')).keysAdd
  withExamples(
    withNewKey(line.add(keys, 'add', aboutAdd, add, names))
      .argument('<name>', 'the encoder')
      .option(
        '--role <role>',
        'role of a new encoder: reader, pinner, operator, or a role from the file',
      )
      .option('--new', 'create the encoder even if another one has nearly the same name')
      .option(
        '--if-missing',
        'only if the encoder has no live key (with --note: no live key with that note)',
      ),
    'keys add encoder-1',
    'keys add encoder-1 --if-missing --json',
    'keys add watcher --role reader --expires 90d --note "the dashboard"',
  )
  const aboutList = 'show the keys of one encoder or all, without the secrets'
  const list = async () => (await import('./keys-list.js')).keysList
  withExamples(
    line
      .add(keys, 'list', aboutList, list, names)
      .argument('[name]', 'the encoder')
      .option('--json', 'as a JSON array'),
    'keys list',
    'keys list encoder-1 --json',
  )
  const aboutRotate =
    'make a new key for an encoder, and let the old one expire after a grace period'
  const rotate = async () => (await import('./keys-change.js')).keysRotate
  withExamples(
    withNewKey(line.add(keys, 'rotate', aboutRotate, rotate, names))
      .argument('<name>', 'the encoder')
      .argument('[id]', 'id of the old key; optional when only one is live')
      .option(
        '--grace <time>',
        'how long the old key stays valid, such as 12h, 7d, 2w, or 0',
        '7d',
      ),
    'keys rotate encoder-1',
    'keys rotate encoder-1 0becc756 --grace 12h',
  )
  const aboutRevoke = 'revoke a key of an encoder, for good'
  const revoke = async () => (await import('./keys-change.js')).keysRevoke
  withExamples(
    line
      .add(keys, 'revoke', aboutRevoke, revoke, names)
      .argument('<name>', 'the encoder')
      .argument('<id>', 'id of the key, as keys list shows it'),
    'keys revoke encoder-1 0becc756',
  )
}

const withNewKey = (command: Command): Command =>
  command
    .option(
      '--expires <when>',
      'expiry of the key: 90d (also h, w, y), 2027-01-31, 2027-01-31T12:00:00Z',
    )
    .option('--note <text>', 'text to recognize the key by')
    .option(
      '--endpoint <url>',
      'URL at which encoders reach the gate, in place of listen.publicUrl',
    )
    .option('--json', 'as JSON, with the key')
