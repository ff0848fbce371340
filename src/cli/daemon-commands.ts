/** The commands around the daemon: run it, check what it would run with, and watch it. */
import type { Command } from 'commander'
import { type CommandLine, type ConfigOption, withExamples } from './command-line.js'

export function addDaemonCommands(program: Command, line: CommandLine): void {
  const serving = line
    .withConfig(program.command('serve'))
    .description('serve until SIGTERM; SIGHUP reloads the settings, SIGUSR2 reopens the log')
    .action(({ config }: ConfigOption) =>
      line.end(async () => {
        const { serve } = await import('../daemon/serve.js')
        return serve({ configPath: config, takeSignals: line.io.takeSignals })
      }, config),
    )
  withExamples(serving, 'serve', 'serve --config config.json')
  const checking = line
    .withConfig(program.command('check'))
    .description('say whether the daemon would start, and list all problems')
    .option('--online', 'also ask the cluster, its clock, the fallback and the store')
    .option(
      '--user <name>',
      "judge files as this user; root's default is pinwarden, if there is one",
    )
    .option('--json', 'as JSON')
    .action(({ config, online, user, json }: CheckOption) =>
      line.end(async () => {
        const { check } = await import('./check/check.js')
        const asked = { online: online === true, json: json === true, user }
        return check({ configPath: config, ...asked }, line.io)
      }, config),
    )
  withExamples(checking, 'check', 'check --online', 'check --config config.json --json')
  const reloading = line
    .withConfig(program.command('reload'))
    .description('make the daemon read its settings, and say what changed or why it refused them')
    .option('--json', 'as JSON')
    .action(({ config, json }: ConfigOption & { readonly json?: boolean }) =>
      line.end(async () => {
        const { reload } = await import('./reload-command.js')
        return reload({ configPath: config, json: json === true }, line.io)
      }, config),
    )
  withExamples(reloading, 'reload', 'reload --json')
  addStatus(program, line)
  addTail(program, line)
  addReport(program, line)
}

interface CheckOption extends ConfigOption {
  readonly online?: boolean
  readonly user?: string
  readonly json?: boolean
}

interface StatusOption extends ConfigOption {
  readonly admin?: string
  readonly json?: boolean
  /** True without a number. */
  readonly watch?: string | true
  readonly live?: boolean
}

function addStatus(program: Command, line: CommandLine): void {
  const command = line
    .withConfig(program.command('status'))
    .description('show the state of the running daemon, from its admin listener')
    .option('--admin <where>', 'URL or socket of the listener; default: the one in the file')
    .option(
      '--watch [seconds]',
      'refresh every N seconds (default 2), with the activity of each encoder',
    )
    .option('--json', 'as JSON; with --watch one document a line')
    .option(
      '--live',
      'exit with 0 if the daemon answers, even when the cluster does not: a health check',
    )
    .action(({ config, admin, json, watch, live }: StatusOption) =>
      line.end(async () => {
        const { status } = await import('./status/status.js')
        const seconds = watch === true ? '2' : watch
        const words = { json: json === true, live: live === true, watch: seconds }
        return status({ configPath: config, admin, ...words }, line.io)
      }, config),
    )
  withExamples(
    command,
    'status',
    'status --watch',
    'status --admin /run/pinwarden/admin.sock --json',
  )
}

interface TailOption extends ConfigOption {
  readonly lines: string
  readonly follow?: boolean
  readonly since?: string
  readonly encoder: string | undefined
  readonly outcome: string | undefined
  readonly status: string | undefined
  readonly id: string | undefined
  readonly cid: string | undefined
  readonly json?: boolean
  readonly color: boolean | undefined
}

function addTail(program: Command, line: CommandLine): void {
  const command = line
    .withConfig(program.command('tail'))
    .description('show the log in a readable form')
    .argument('[file]', "the log, also compressed, or - for standard input; else the daemon's own")
    .option('-n, --lines <number>', 'number of last lines', '20')
    .option('-f, --follow', 'follow new lines, also after logrotate moved the file')
    .option('--since <when>', 'all lines since this time: 30m, 2h, 7d, 2026-11-29T18:00:00Z')
    .option('--id <id>', 'only the request with this X-Request-Id')
    .option('--cid <cid>', 'only about this CID')
    .option('--encoder <name>', 'only requests of this encoder; - of those without a good key')
    .option('--outcome <word>', 'only answered, journaled, checked, refused, fault, aborted or bug')
    .option('--status <code>', 'only such as 429, 4xx, 500-599')
    .option('--json', 'the lines exactly as in the file')
    .option('--color', 'color the output even if it is no terminal')
    .option('--no-color', 'never color the output')
    .action((file: string | undefined, options: TailOption) =>
      line.end(async () => {
        const { tail } = await import('./tail/tail.js')
        const { config: configPath, lines, since, color, ...filters } = options
        const [follow, json] = [options.follow === true, options.json === true]
        return tail({ configPath, file, lines, since, follow, filters, json, color }, line.io)
      }, options.config),
    )
  withExamples(
    command,
    'tail -f --outcome refused',
    'tail --since 2h --encoder encoder-1 --status 5xx',
    'tail --id 02ce92e6-3bf6-44f6-be26-4c0f99c58482',
  )
  command.addHelpText(
    'after',
    "\nThe daemon's own log is log.file with its rotated files, or else the journal of systemd.",
  )
}

interface ReportOption extends ConfigOption {
  readonly since?: string
  readonly json?: boolean
}

function addReport(program: Command, line: CommandLine): void {
  const command = line
    .withConfig(program.command('report'))
    .description('count by encoder which requests were, or would be, refused')
    .argument('[file]', "the log, also compressed, or - for standard input; else the daemon's own")
    .option('--since <when>', 'such as 2h, 7d, 2026-11-29; default: the whole log')
    .option('--json', 'as JSON')
    .action((file: string | undefined, { config, json, since }: ReportOption) =>
      line.end(async () => {
        const { reportRefusals } = await import('./report-refusals.js')
        const asked = { file, since, json: json === true }
        return reportRefusals({ configPath: config, ...asked }, line.io)
      }, config),
    )
  withExamples(command, 'report', 'report --json /var/log/pinwarden/access.log.1')
}
