/** What a command needs of the process it runs in, so that a test can stand in for it. */
import { readFileSync } from 'node:fs'

export interface Io {
  /** Results; everything else goes to stderr. */
  readonly stdout: Sink
  readonly stderr: Sink
  readonly stdin?: AsyncIterable<unknown>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Only where the process is to be a daemon. */
  readonly takeSignals?: TakeSignals | undefined
}

/** What the daemon does something at. */
export type DaemonSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR2'

/** Hands over each signal from now on, and first of all those that came before. */
export type TakeSignals = (obey: (signal: DaemonSignal) => void) => void

export interface Sink {
  write(text: string): unknown
  /** Whether it is a terminal. */
  readonly isTTY?: boolean
}

/** Written in by the bundler where the program is one file, without a package.json beside it. */
declare const PINWARDEN_VERSION: string | undefined

/** The package's own version: package.json lies beside dist/. */
export const version =
  typeof PINWARDEN_VERSION === 'string'
    ? PINWARDEN_VERSION
    : versionIn(new URL('../../../package.json', import.meta.url))

function versionIn(file: URL): string {
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }
  return version
}
