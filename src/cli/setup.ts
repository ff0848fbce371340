/** The commands for setting up: on the cluster's host, and on an encoder's machine. */
import { Argument, type Command } from 'commander'
import type { Shell } from './completion/completion.js'
import { type CommandLine, withExamples } from './command-line.js'
import { usage } from './probe/usage.js'

export function addSetupCommands(program: Command, line: CommandLine): void {
  addInit(program, line)
  addProbe(program, line)
  const schema = program
    .command('schema')
    .description('print the JSON Schema of the configuration')
    .action(() =>
      line.end(async () => {
        const { publishedSchema } = await import('../settings/schema/document.js')
        line.io.stdout.write(publishedSchema())
        return 0
      }),
    )
  withExamples(schema, 'schema > config.schema.json')
  addCompletion(program, line)
}

/** Hidden: packages install what it prints. */
function addCompletion(program: Command, line: CommandLine): void {
  program
    .command('completion', { hidden: true })
    .description('print the completion script for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell: Shell) =>
      line.end(async () => {
        const { completion } = await import('./completion/completion.js')
        return completion(shell, program, line.io)
      }),
    )
}

function addInit(program: Command, line: CommandLine): void {
  const about = "inspect this host's cluster, write a first configuration, make a first key"
  withExamples(
    line
      .add(program, 'init', about, async () => (await import('./init/init.js')).init)
      .option('--encoder <name>', 'name of the first encoder', 'encoder-1')
      .option('--host <address>', 'address to listen on; default: the public one of this host')
      .option('--port <number>', 'port to listen on', '9098')
      .option('--cluster <url>', "base URL of the cluster's REST API", 'http://127.0.0.1:9094')
      .option('--cert <file>', 'certificate chain in PEM; needs --key')
      .option('--key <file>', 'private key in PEM')
      .option('--ledger <directory>', 'directory of an existing ledger, if not the default')
      .option(
        '--plain-http',
        'allow plain HTTP on a public address: keys are then sent unencrypted',
      )
      .option(
        '--endpoint <url>',
        'URL at which encoders reach the gate, such as https://host:9098',
      ),
    'init --endpoint https://pins.example.org:9098',
    'init --cert /etc/pinwarden/fullchain.pem --key /etc/pinwarden/privkey.pem',
    'init --host 127.0.0.1 --config config.json',
  )
}

function addProbe(program: Command, line: CommandLine): void {
  const command = program
    .command('probe')
    .description(usage.description)
    .argument('[url]', usage.url)
    .argument('[cid]', usage.cid)
    .addHelpText('after', `\n${usage.endpoint}`)
    .action((url: string | undefined, cid: string | undefined) =>
      line.end(async () => {
        const { probe } = await import('./probe/probe.js')
        return probe({ url, cid }, line.io)
      }),
    )
  withExamples(command, 'probe', 'probe QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn')
}
