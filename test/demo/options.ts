/** What the demo is asked for: by arguments, and by the variable PORT. */

export interface DemoOptions {
  /** Where plain HTTP is taken; 0: any free port. */
  readonly port: number
  /** Whether the demo's own encoders stay out. */
  readonly isQuiet: boolean
}

/** What a person reads instead of a stack trace. */
export class DemoError extends Error {
  constructor(
    message: string,
    /** 1: it failed; 2: it was asked for wrongly. */
    readonly exitCode: 1 | 2,
  ) {
    super(message)
  }
}

/** @throws DemoError for what it does not know */
export function readOptions(
  argv: readonly string[],
  { PORT: port = '' }: Readonly<Record<string, string | undefined>>,
): DemoOptions {
  const unknown = argv.find((argument) => argument !== '--quiet')
  if (unknown !== undefined)
    throw new DemoError(`unknown argument ${unknown}; there is one: npm run demo -- --quiet`, 2)
  if (!/^\d{0,5}$/.test(port) || Number(port) > 65_535)
    throw new DemoError(`PORT=${port} is not a port; use a number from 0 to 65535`, 2)
  return { port: port === '' ? 9098 : Number(port), isQuiet: argv.length > 0 }
}
