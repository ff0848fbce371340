/** Problems of a configuration: each names the field, what was found and what was expected. */

import { dirname, resolve } from 'node:path'

export interface Problem {
  /** Such as `encoders.alice.keys[0].sha256`; empty for the file as a whole. */
  readonly path: string
  /** The value, bounded and without secrets. */
  readonly found: string
  readonly expected: string
  /** The same in one sentence, if that reads better. */
  readonly says?: string
  /** Line of the configuration file, from 1; absent: unknown, or not about the file. */
  readonly line?: number
}

/** Thrown with all problems of a configuration at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]
  readonly hint: string | undefined

  constructor(problems: readonly Problem[], hint?: string) {
    super(problemLines(problems).join('\n'))
    this.problems = problems
    this.hint = hint
  }
}

/** Most problems that a message lists. */
const linesMax = 200

/** One line of text a problem. */
export const problemLines = (problems: readonly Problem[]): string[] =>
  firstProblems(problems).map(problemText)

/** As many as a message lists, the last of which counts the rest. */
export function firstProblems(problems: readonly Problem[]): readonly Problem[] {
  const left = problems.length - linesMax
  if (left <= 0) return problems
  const rest = { path: '', found: '', expected: '', says: `and ${left} more` }
  return [...problems.slice(0, linesMax), rest]
}

export function problemText(problem: Problem): string {
  const { path, line } = problem
  return `${line === undefined ? '' : `line ${line}: `}${sentence(problem)}`

  function sentence({ found, expected, says }: Problem): string {
    if (found === unknownField) return `unknown field ${path}: ${says ?? `use ${expected}`}`
    if (says !== undefined) return path === '' ? says : `${path}: ${says}`
    const name = path === '' ? 'the file' : path
    if (found === missing) return `${name} is missing: use ${expected}`
    return `${name}: ${found}${aValue.test(found) ? ' is not' : '; use'} ${expected}`
  }
}

/** Words for an absent field and for an unknown one. */
export const [missing, unknownField] = ['nothing', 'an unknown field']

/** Forms of {@link foundText}; problems describe everything else in words. */
const aValue = new RegExp(
  '^(?:"(?:[^"\\\\]|\\\\.)*"|-?\\d[\\d.e+-]*|true|false|null|a list of \\d+|an object|this name|' +
    'a string of \\d+ characters(?: \\(not shown\\))?|what looks like a secret \\(not shown\\))$',
)

export type Segment = string | number

/** The path of a field: `listen.port`, `encoders["a.b"].keys[0]`. */
export function pathText(segments: readonly Segment[]): string {
  return segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`
    const shown = isPlainName(segment) ? JSON.stringify(segment) : quoted(segment)
    if (shown !== `"${segment}"` || !/^[A-Za-z$][\w$-]*$/.test(segment)) return `${path}[${shown}]`
    return path === '' ? segment : `${path}.${segment}`
  }, '')
}

/** Parses such a path; a placeholder for a secret leads nowhere. */
export const segmentsIn = (path: string): Segment[] =>
  [...path.matchAll(/\[(\d+)\]|\["([^"]*)"\]|([A-Za-z$][\w$-]*)/g)].map(
    ([, index, quoted, plain]) => (index === undefined ? (quoted ?? plain ?? '') : Number(index)),
  )

/** Shows long names of encoders too; a key pasted as a name has capitals. */
function isPlainName(text: string): boolean {
  return /^[a-z0-9._-]{1,63}$/.test(text) && !/pw_[a-z0-9]{20}/.test(text)
}

/** A value of the file for a message: short, and never a secret. */
export function foundText(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'string' ? quoted(value) : String(value)
}

/**
 * The path of a file, unless it may be a secret that was pasted in its place: a bare word is shown
 * only with the ending of a file.
 *
 * @param baseDir where relative ones start
 */
export function shownPath(path: string, baseDir: string): string | undefined {
  const isOdd = /pw_|-----|[?\p{Cc}]|[A-Za-z0-9+=]{40}/u.test(path)
  const isBare = dirname(path) === resolve(baseDir)
  const hasEnding = /\.(?:pem|crt|cer|key|txt|json|log|sock)$/i.test(path)
  return path.length > 256 || isOdd || (isBare && !hasEnding) ? undefined : path
}

function quoted(text: string): string {
  if (text.length > 64) return `a string of ${text.length} characters`
  if (looksSecret(text)) return 'what looks like a secret (not shown)'
  return JSON.stringify(text)
}

/**
 * Prefers to hide too much rather than too little: pinwarden's keys, PEM, URLs with credentials or
 * a query, and any long unbroken run of the characters that tokens and hashes consist of.
 */
function looksSecret(text: string): boolean {
  return /pw_|-----|@|\?|[A-Za-z0-9+/=_-]{24}/.test(text)
}
