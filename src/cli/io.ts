/** What a command needs of its process, so that a test can replace it. */
import type { TakeSignals } from '../daemon/serve.js'
import type { Environment } from '../settings/overrides.js'
import { printable } from '../text/printable.js'

export interface Io {
  /** Results; everything else goes to stderr. */
  readonly stdout: Sink
  readonly stderr: Sink
  readonly stdin?: AsyncIterable<unknown>
  /** Aborted when the reader of stdout, such as `head`, has left. */
  readonly readerLeft?: AbortSignal
  readonly env: Environment
  /** Only for the daemon. */
  readonly takeSignals?: TakeSignals | undefined
}

export interface Sink {
  /** Escapes terminal controls, in all text. */
  write(text: string): unknown
  /** Writes terminal controls, such as colours. Absent: the stream itself does. */
  readonly bare?: Sink
  /** Whether it is a terminal. */
  readonly isTTY?: boolean
}

/** Commands print text of clusters, encoders and files: terminal controls in it are escaped. */
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
