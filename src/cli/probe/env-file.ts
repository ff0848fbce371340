/** Reads the file `.env` of an encoder as its dotenv does; Node can do that only since 20.6. */
import { readFileSync } from 'node:fs'
import { CommandError } from '../report.js'
import { codeOf } from './time-limit.js'

/**
 * @returns its variables; none where there is no such file
 * @throws CommandError where there is one that this user may not read
 */
export function readEnvFile(path: string): Readonly<Record<string, string>> {
  const text = textOf(path)
  const variables: Record<string, string> = {}
  for (const [, variable = '', ...values] of text.matchAll(assignment)) {
    const [single, double, backtick, plain = ''] = values
    variables[variable] = single ?? double ?? backtick ?? plain.trim()
  }
  return variables
}

const name = /^\s*(?:export\s+)?([\w.-]+)[ \t]*=[ \t]*/
/** In quotes it may have `#` and line ends in it. */
const value = /(?:'([^']*)'|"([^"]*)"|`([^`]*)`|([^#\r\n]*))/
const comment = /[ \t]*(?:#.*)?$/
const assignment = new RegExp(name.source + value.source + comment.source, 'gm')

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = codeOf(error)
    // A directory of that name belongs to Python.
    if (code === 'ENOENT' || code === 'EISDIR') return ''
    throw new CommandError(
      `${path} cannot be read (${code})`,
      'run the probe as the user of the encoder, or set IPFS_CLUSTER_ENDPOINT',
    )
  }
}
