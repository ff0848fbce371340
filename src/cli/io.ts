/** What a command needs of the process it runs in, so that a test can stand in for it. */
import type { TakeSignals } from '../daemon/serve.js'

export interface Io {
  /** Results; everything else goes to stderr. */
  readonly stdout: Sink
  readonly stderr: Sink
  readonly stdin?: AsyncIterable<unknown>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Only where the process is to be a daemon. */
  readonly takeSignals?: TakeSignals | undefined
}

export interface Sink {
  write(text: string): unknown
  /** Whether it is a terminal. */
  readonly isTTY?: boolean
}
