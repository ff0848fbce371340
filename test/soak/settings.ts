/** The daemon's settings of the soak: short limits, small budgets, and encoders of every kind. */
import { writeFileSync } from 'node:fs'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'

export interface Credential {
  readonly name: string
  readonly key: string
}

const credential = (name: string): Credential => ({ name, key: generateKey() })

export const credentials = {
  pinners: [credential('alpha'), credential('beta'), credential('gamma')] as const,
  operator: credential('operator'),
  reader: credential('reader'),
  disabled: credential('disabled'),
  limited: credential('limited'),
  /** There by turns. */
  guest: credential('guest'),
}

/** Of X-Forwarded-For it is believed to those from the first; the others count as themselves. */
export const trusted = '127.0.1'
export const untrusted = '127.0.2'

const plenty = { max: 1_000_000, windowSeconds: 60 }
const few = { max: 20, windowSeconds: 1 }

/** Failures that one address has in a window of so long. */
export const failures = { max: 20, windowSeconds: 10 }

export interface Places {
  readonly config: string
  readonly log: string
  readonly admin: string
  readonly directory: string
  readonly clusterUrl: string
}

export function writeSettings(places: Places, hasGuest: boolean): void {
  const { pinners, operator, reader, disabled, limited, guest } = credentials
  const keys = ({ key }: Credential) => [{ id: 'k1', sha256: digestOf(key) }]
  const settings = {
    listen: {
      port: 0,
      trustProxy: [`${trusted}.0/24`],
      ...{ headersTimeoutMs: 1000, requestTimeoutMs: 2000, stallMs: 1000 },
    },
    admin: { socket: places.admin },
    cluster: {
      endpoints: [{ url: places.clusterUrl }],
      ...{ idTimeoutMs: 1500, statusTimeoutMs: 1500, writeTimeoutMs: 1500 },
      ...{ listTimeoutMs: 3000, idleTimeoutMs: 1500 },
      // Late enough for every kind of fault to be met.
      health: { intervalMs: 1000, timeoutMs: 500, failuresMax: 50 },
    },
    listing: {
      directory: places.directory,
      ...{ maxAgeMs: 2000, runMs: 10_000, stallMs: 1000 },
      ...{ perEncoderMax: 1000, readersMax: 1000 },
    },
    log: { file: places.log },
    limits: { reads: plenty, writes: plenty, listings: plenty, inFlight: 1000, failures },
    encoders: {
      ...Object.fromEntries(pinners.map((pinner) => [pinner.name, { keys: keys(pinner) }])),
      [operator.name]: { role: 'operator', keys: keys(operator) },
      [reader.name]: { role: 'reader', keys: keys(reader) },
      [disabled.name]: { enabled: false, keys: keys(disabled) },
      [limited.name]: { keys: keys(limited), limits: { reads: few, writes: few } },
      ...(hasGuest && { [guest.name]: { keys: keys(guest) } }),
    },
  }
  writeFileSync(places.config, JSON.stringify(settings, null, 2), { mode: 0o640 })
}
