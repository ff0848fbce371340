/** Log lines, a few milliseconds' worth at a time: handing one over costs a third of a request. */

/** How long a line waits at most. */
const waitMs = 5

/** A batch that is as large goes at once. */
const charactersMax = 65_536

export class LogBatch {
  private lines = ''
  private clock: NodeJS.Timeout | undefined

  /** @param sink takes whole lines, many at once */
  constructor(private readonly sink: (lines: string) => void) {}

  /** What pino calls, with one line. */
  write(line: string): void {
    this.lines += line
    if (this.lines.length > charactersMax) this.flush()
    else
      this.clock ??= setTimeout(() => {
        this.flush()
      }, waitMs)
  }

  /** Hands over what waits. */
  flush(): void {
    clearTimeout(this.clock)
    this.clock = undefined
    if (this.lines === '') return
    const { lines } = this
    this.lines = ''
    this.sink(lines)
  }
}

export const countLines = (lines: string): number => lines.split('\n').length - 1
