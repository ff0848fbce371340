/** Prints pinwarden(1), made from what the program says with --help. */
import { execFileSync } from 'node:child_process'

const [program, version] = process.argv.slice(2)
const env = { PATH: process.env.PATH, COLUMNS: '78' }
const help = (...command) =>
  execFileSync(process.execPath, [program, ...command, '--help'], { encoding: 'utf8', env })

/** The names that a help lists, with those below them. */
function commandsOf(...path) {
  const list = /^Commands:\n((?: {2}.*\n)+)/m.exec(help(...path))?.[1] ?? ''
  const names = [...list.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name)
  return names
    .filter((name) => name !== 'help')
    .flatMap((name) => [[...path, name], ...commandsOf(...path, name)])
}

const roff = (text) => text.replaceAll('\\', '\\e').replace(/^(?=[.'])/gm, '\\&')
const block = (text) => `.nf\n${roff(text.trim()).replaceAll('-', '\\-')}\n.fi\n`

const date = new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000).toISOString().slice(0, 10)
process.stdout.write(`.TH PINWARDEN 1 "${date}" "pinwarden ${version}"
.SH NAME
pinwarden \\- authenticating gate on the public port of an IPFS Cluster
.SH SYNOPSIS
.B pinwarden
.I command
[options]
.SH DESCRIPTION
${block(help())}.SH COMMANDS
${commandsOf()
  .map((path) => `.SS ${path.join(' ')}\n${block(help(...path))}`)
  .join('')}.SH EXIT STATUS
.TP
.B 0
It is done, or is as it was asked for already, which is said.
.TP
.B 1
It failed: what was asked for is not so. For check the daemon would not start; for status it is not
ready; for tail \\-\\-id and \\-\\-cid there is no such line; for report there is no request.
.TP
.B 2
The command line is wrong; nothing was done.
.SH ENVIRONMENT
.TP
.B PINWARDEN_CONFIG
The configuration file, unless \\-\\-config names one.
.TP
.BR PINWARDEN_LISTEN_HOST ", " PINWARDEN_LISTEN_PORT ", " PINWARDEN_CLUSTER_URL ", " PINWARDEN_LOG_LEVEL ", " PINWARDEN_ADMIN_HOST
Take the place of listen.host, listen.port, the URL of the first of cluster.endpoints, log.level and
admin.host. pinwarden check names those that are set.
.TP
.B IPFS_CLUSTER_ENDPOINT
What pinwarden probe tries, on an encoder's machine.
.TP
.B NO_COLOR
No colours in pinwarden tail.
.SH SIGNALS
To the process of pinwarden serve:
.TP
.BR SIGTERM ", " SIGINT
Ends it in order: requests under way are finished. The second one ends it at once.
.TP
.B SIGHUP
Reads the settings and the files that they name; what is wrong leaves the old ones in force.
pinwarden reload does the same and says what changed.
.TP
.B SIGUSR2
Opens the log file anew, after it was moved.
.TP
.B SIGUSR1
Nothing: no inspector is opened.
.SH FILES
.TP
.I /etc/pinwarden/config.json
The configuration: JSON that may have comments and trailing commas.
.TP
.I /etc/pinwarden/config.json.lock, .former, .kept\\-1
An edit under way; what it replaces; what another hand wrote meanwhile.
.TP
.I /var/lib/pinwarden/ledger.db
What encoders were promised. To be backed up with pinwarden ledger backup.
.TP
.I /var/log/pinwarden
A place for log.file that the unit may write to.
.TP
.I /run/pinwarden/control.sock
Where commands that change pins, and pinwarden reload, ask the daemon.
.TP
.I /usr/share/doc/pinwarden/README.md.gz, /usr/share/doc/pinwarden/docs
`)
