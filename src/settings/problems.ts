/** What is wrong with a configuration: every problem says where, what is there, what should be. */

export interface Problem {
  /** Such as `encoders.alice.keys[0].sha256`; empty for the file as a whole. */
  readonly path: string
  /** What is there, bounded and free of secrets. */
  readonly found: string
  readonly expected: string
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

/** More lines than this help nobody; the rest is counted. */
const linesMax = 200

/** One line of text a problem. */
export function problemLines(problems: readonly Problem[]): string[] {
  const lines = problems
    .slice(0, linesMax)
    .map(({ path, found, expected }) => `${path || '(file)'}: found ${found}, expected ${expected}`)
  const left = problems.length - lines.length
  return left > 0 ? [...lines, `and ${left} more`] : lines
}

export type Segment = string | number

/** A field's place in words: `listen.port`, `encoders["a.b"].keys[0]`. */
export function pathText(segments: readonly Segment[]): string {
  return segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`
    const shown = isPlainName(segment) ? JSON.stringify(segment) : quoted(segment)
    if (shown !== `"${segment}"` || !/^[A-Za-z$][\w$-]*$/.test(segment)) return `${path}[${shown}]`
    return path === '' ? segment : `${path}.${segment}`
  }, '')
}

/** Names of encoders are shown also when they are long; a key in their place has capitals. */
function isPlainName(text: string): boolean {
  return /^[a-z0-9._-]{1,63}$/.test(text) && !/pw_[a-z0-9]{20}/.test(text)
}

/** A value from the file, fit to be shown: short, and never a secret. */
export function foundText(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'string' ? quoted(value) : String(value)
}

function quoted(text: string): string {
  if (text.length > 64) return `a string of ${text.length} characters`
  if (looksSecret(text)) return 'what looks like a secret (not shown)'
  return JSON.stringify(text)
}

/**
 * Better one value too many hidden than one secret in a log: our keys, PEM, URLs with credentials
 * or a query, and any long unbroken run of the characters that tokens and hashes consist of.
 */
function looksSecret(text: string): boolean {
  return /pw_|-----|@|\?|[A-Za-z0-9+/=_-]{24}/.test(text)
}
