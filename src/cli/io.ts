/** What a command needs of the process it runs in, so that a test can stand in for it. */
import type { TakeSignals } from '../daemon/serve.js'
import { printable } from '../text/printable.js'

export interface Io {
  /** Results; everything else goes to stderr. */
  readonly stdout: Sink
  readonly stderr: Sink
  readonly stdin?: AsyncIterable<unknown>
  /** Aborted when the reader of stdout is gone, such as `head`. */
  readonly readerLeft?: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
  /** Only where the process is to be a daemon. */
  readonly takeSignals?: TakeSignals | undefined
}

export interface Sink {
  /** What a terminal would obey is written escaped, whosever words it is among. */
  write(text: string): unknown
  /** Takes what is to be obeyed, such as colours. Absent: it is as bare itself. */
  readonly bare?: Sink
  /** Whether it is a terminal. */
  readonly isTTY?: boolean
}

/** Commands print what clusters, encoders and files say: a terminal gets none of it bare. */
export const escapingIo = (io: Io): Io => ({
  ...io,
  stdout: escaping(io.stdout),
  stderr: escaping(io.stderr),
})

const escaping = (bare: Sink): Sink => ({
  write: (text) => bare.write(printable(text)),
  bare,
  ...(bare.isTTY !== undefined && { isTTY: bare.isTTY }),
})
