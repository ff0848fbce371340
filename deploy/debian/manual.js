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
  .join('')}.SH FILES
.I /etc/pinwarden/config.json
.br
.I /usr/share/doc/pinwarden/README.md.gz, /usr/share/doc/pinwarden/docs
`)
