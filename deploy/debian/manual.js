/** Prints pinwarden(1), made from what the program says with --help. */
import { pathToFileURL } from 'node:url'

const [program, version] = process.argv.slice(2)
const { run } = await import(new URL('cli/cli.js', pathToFileURL(program)))

async function help(...command) {
  let text = ''
  const stdout = { write: (part) => (text += part) }
  await run([...command, '--help'], { stdout, stderr: process.stderr, env: {} })
  return text
}

/** A command's help, and then those of the commands that it lists. */
async function* helps(...path) {
  const text = await help(...path)
  yield { path, text }
  const list = /^Commands:\n((?: {2}.*\n)+)/m.exec(text)?.[1] ?? ''
  for (const [, name] of list.matchAll(/^ {2}([a-z-]+)/gm))
    if (name !== 'help') yield* helps(...path, name)
}

const [whole, ...commands] = await Array.fromAsync(helps())

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
${block(whole.text)}.SH COMMANDS
${commands.map(({ path, text }) => `.SS ${path.join(' ')}\n${block(text)}`).join('')}.SH EXIT STATUS
.TP
.B 0
Done, or there was nothing to do, which the command then says.
.TP
.B 1
Failed. For check: the daemon would not start. For status: the daemon is not ready. For tail
\\-\\-id and \\-\\-cid: the log has no such line. For report: the log has no request.
.TP
.B 2
Wrong usage; the command did nothing.
.SH ENVIRONMENT
.TP
.B PINWARDEN_CONFIG
The configuration file, unless \\-\\-config names one.
.TP
.BR PINWARDEN_LISTEN_HOST ", " PINWARDEN_LISTEN_PORT ", " PINWARDEN_CLUSTER_URL ", " PINWARDEN_LOG_LEVEL ", " PINWARDEN_ADMIN_HOST
Override listen.host, listen.port, the URL of the first of cluster.endpoints, log.level and admin.host.
pinwarden check names those that are set.
.TP
.B IPFS_CLUSTER_ENDPOINT
The endpoint that pinwarden probe tests, on an encoder's machine.
.TP
.B NO_COLOR
No colours in pinwarden tail.
.SH SIGNALS
To the process of pinwarden serve:
.TP
.BR SIGTERM ", " SIGINT
End the daemon after the requests in flight. A second signal ends it immediately.
.TP
.B SIGHUP
Reads the settings and the files that they name; if anything is wrong, the old ones stay in force.
pinwarden reload does the same and says what changed.
.TP
.B SIGUSR2
Reopens the log file, after the old one was moved.
.TP
.B SIGUSR1
Ignored: the daemon never opens an inspector.
.SH FILES
.TP
.I /etc/pinwarden/config.json
The configuration: JSON, with optional comments and trailing commas.
.TP
.I /etc/pinwarden/config.json.lock, .former, .kept\\-1
The lock of an edit; the previous file; a version that another program wrote at the same time.
.TP
.I /var/lib/pinwarden/ledger.db
The ledger: what the gate owes to encoders. Back it up with pinwarden ledger backup.
.TP
.I /var/log/pinwarden
Directory for log.file; the unit may write there.
.TP
.I /run/pinwarden/control.sock
The socket through which commands that change pins, and pinwarden reload, reach the daemon.
.TP
.I /usr/share/doc/pinwarden/README.md.gz, /usr/share/doc/pinwarden/docs
`)
