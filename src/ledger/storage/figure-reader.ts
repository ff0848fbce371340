/** Reads the ledger's figures for each scrape; none waits for a disk that hangs. */
import type { SetTimer } from '../../time/clock.js'
import type { FileFigures } from './figures.js'

const none: FileFigures = {
  owedRows: 0,
  reportedRows: { missing: 0, unexpected: 0 },
  bytes: 0,
  freeBytes: undefined,
  hasNoInodes: false,
}

/** A reading that takes longer yields the previous figures. */
const waitMs = 500

export class FigureReader {
  private last = none
  private reading: Promise<void> | undefined

  constructor(
    private readonly ask: () => Promise<FileFigures>,
    private readonly setTimer: SetTimer,
  ) {}

  async read(): Promise<FileFigures> {
    this.reading ??= this.ask()
      .then(
        (figures) => {
          this.last = figures
        },
        () => undefined,
      )
      .finally(() => {
        this.reading = undefined
      })
    const late = Promise.withResolvers<undefined>()
    const cancel = this.setTimer(waitMs, () => {
      late.resolve(undefined)
    })
    await Promise.race([this.reading, late.promise])
    cancel()
    return this.last
  }
}
