/** The probe as a program of its own: what `pinwarden probe` does, in one file for an encoder. */
import './node-version.js'
import { version } from '../../daemon/version.js'
import type { Io } from '../io.js'
import { probe } from './probe.js'
import { report, UsageError } from '../report.js'
import { quoted } from './steps.js'
import { usage } from './usage.js'

const program = 'node pinwarden-probe.mjs'

const help = `\
Usage: ${program} [options] [url] [cid]

${usage.description}

Arguments:
  url            ${usage.url}
  cid            ${usage.cid}

Options:
  -V, --version  output the version number
  -h, --help     display this help

${usage.endpoint}

Examples:
  $ ${program}
  $ ${program} QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn

Exit codes: 0 all works, 1 something does not, 2 wrong usage.
`

const answers = new Map([
  ['-V', `${version}\n`],
  ['--version', `${version}\n`],
  ['-h', help],
  ['--help', help],
])

// A reader that leaves early, such as `head`, does not deserve a stack trace.
process.stdout.on('error', () => (process.exitCode = 1))
process.stderr.on('error', () => (process.exitCode = 1))

// Setting the code rather than exiting lets what was written reach its reader.
void run(process.argv.slice(2), process).then((code) => (process.exitCode ??= code))

async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    const option = argv.find((argument) => argument.startsWith('-'))
    if (option === undefined) return await probe(argumentsIn(argv), io)
    const answer = answers.get(option)
    if (answer === undefined) throw new UsageError(`unknown option ${quoted(option)}`, seeHelp)
    io.stdout.write(answer)
    return 0
  } catch (error) {
    return report(error, io)
  }
}

function argumentsIn([url, cid, ...more]: readonly string[]) {
  if (more.length > 0)
    throw new UsageError('too many arguments: expected a URL and a CID at most', seeHelp)
  return { url, cid }
}

const seeHelp = `${program} --help shows the usage`
