/** The commands for the daemon: serve, check, reload, status, tail and report. */
import type { Command } from 'commander'
import { type Called, type CommandLine, withExamples } from './command-line.js'
import type { Io } from './io.js'

export function addDaemonCommands(program: Command, line: CommandLine): void {
  const aboutServe = 'serve until SIGTERM; SIGHUP reloads the settings, SIGUSR2 reopens the log'
  const serve = async () => {
    const { serve } = await import('../daemon/serve.js')
    return ({ configPath }: Called, { takeSignals }: Io) => serve({ configPath, takeSignals })
  }
  withExamples(line.add(program, 'serve', aboutServe, serve), 'serve', 'serve --config config.json')
  const aboutCheck = 'say whether the daemon would start, and list all problems'
  const check = async () => (await import('./check/check.js')).check
  withExamples(
    line
      .add(program, 'check', aboutCheck, check)
      .option('--online', 'also ask the cluster, its clock, the fallback and the store')
      .option(
        '--user <name>',
        "check files as this user; root's default is pinwarden, if it exists",
      )
      .option('--json', 'as JSON'),
    'check',
    'check --online',
    'check --config config.json --json',
  )
  const aboutReload =
    'make the daemon read its settings, and say what changed or why it refused them'
  const reload = async () => (await import('./reload-command.js')).reload
  withExamples(
    line.add(program, 'reload', aboutReload, reload).option('--json', 'as JSON'),
    'reload',
    'reload --json',
  )
  addStatus(program, line)
  addTail(program, line)
  addReport(program, line)
}

function addStatus(program: Command, line: CommandLine): void {
  const about = 'show the state of the running daemon, from its admin listener'
  withExamples(
    line
      .add(program, 'status', about, async () => (await import('./status/status.js')).status)
      .option('--admin <where>', 'URL or socket of the listener; default: the one in the file')
      .option(
        '--watch [seconds]',
        'refresh every N seconds (default 2), with the activity of each encoder',
      )
      .option('--json', 'as JSON; with --watch, one document per line')
      .option(
        '--live',
        'a health check: exit with 0 if the daemon answers, even if the cluster does not',
      ),
    'status',
    'status --watch',
    'status --admin /run/pinwarden/admin.sock --json',
  )
}

const fileText =
  "the log, which may be compressed, or - for standard input; default: the daemon's log"

function addTail(program: Command, line: CommandLine): void {
  const about = 'show the log in a readable form'
  withExamples(
    line
      .add(program, 'tail', about, async () => (await import('./tail/tail.js')).tail)
      .argument('[file]', fileText)
      .option('-n, --lines <number>', 'how many of the last lines to show', '20')
      .option('-f, --follow', 'follow new lines, also after logrotate moved the file')
      .option(
        '--since <when>',
        'all lines since this time, such as 30m, 2h, 7d, 2026-11-29T18:00:00Z',
      )
      .option('--id <id>', 'only the request with this X-Request-Id')
      .option('--cid <cid>', 'only requests about this CID')
      .option(
        '--encoder <name>',
        'only requests of this encoder; - for requests without a valid key',
      )
      .option(
        '--outcome <word>',
        'only with this outcome: answered, journaled, checked, refused, fault, aborted or bug',
      )
      .option('--status <code>', 'only with this status: 429, 4xx, 500-599')
      .option('--json', 'print the lines exactly as in the file')
      .option('--color', 'color the output even if it is not a terminal')
      .option('--no-color', 'never color the output'),
    'tail -f --outcome refused',
    'tail --since 2h --encoder encoder-1 --status 5xx',
    'tail --id 02ce92e6-3bf6-44f6-be26-4c0f99c58482',
  ).addHelpText(
    'after',
    "\nThe daemon's log is log.file with its rotated files, or else systemd's journal.",
  )
}

function addReport(program: Command, line: CommandLine): void {
  const about = 'count by encoder which requests were, or would be, refused'
  const report = async () => (await import('./report-refusals.js')).reportRefusals
  withExamples(
    line
      .add(program, 'report', about, report)
      .argument('[file]', fileText)
      .option(
        '--since <when>',
        'only requests since this time, such as 2h, 7d, 2026-11-29; default: the whole log',
      )
      .option('--json', 'as JSON'),
    'report',
    'report --json /var/log/pinwarden/access.log.1',
  )
}
