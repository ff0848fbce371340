/** The gate itself: the real daemon, with a config of its own. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { certificate } from '../../support/certificate.js'
import { bin as built, nodeFlags } from '../../support/daemon.js'
import { addresses } from '../upstream-process.js'
import { freePort } from '../sandbox.js'
import { names, user } from './passwords.js'
import { type Place, type Program, ready } from './program.js'

export interface Shape {
  readonly encoders?: number
  /** Of each encoder, within an hour. */
  readonly readsMax?: number
  readonly isTls?: boolean
  /** How long a listing is served again. */
  readonly maxAgeMs?: number
  /** Of the cluster; three at most. */
  readonly peers?: number
  readonly onOutage?: 'refuse' | 'journal'
  /** What it shares its limits by. */
  readonly redis?: string
  /** Another build of the program. */
  readonly bin?: string
}

const plenty = { max: 1_000_000, windowSeconds: 10 }

export async function startPinwarden(
  place: Place,
  name: string,
  {
    encoders = 10,
    isTls = false,
    maxAgeMs = 60_000,
    peers = 1,
    onOutage = 'refuse',
    redis,
    readsMax,
    bin = built,
  }: Shape,
): Promise<Program> {
  const room = place.sandbox.room(name)
  const port = await freePort()
  const file = (base: string): string => join(room, base)
  const keys = names(encoders).map((each) => ({ each, key: generateKey() }))
  if (isTls) {
    writeFileSync(file('cert.pem'), certificate.cert)
    writeFileSync(file('key.pem'), certificate.key, { mode: 0o600 })
  }
  const config = {
    listen: {
      port,
      connectionsMax: 10_000,
      connectionsPerAddressMax: 10_000,
      ...(isTls && { tls: { certFile: 'cert.pem', keyFile: 'key.pem' } }),
    },
    cluster: {
      endpoints: addresses.slice(0, peers).map((address) => ({
        url: `http://${address}:${place.upstreamPort}`,
      })),
    },
    onOutage,
    ledger: { directory: 'state' },
    store: redis === undefined ? {} : { redis },
    listing: { maxAgeMs, directory: room, perEncoderMax: 1000, readersMax: 10_000 },
    log: { file: 'access.log' },
    limits: {
      reads: readsMax === undefined ? plenty : { max: readsMax, windowSeconds: 3600 },
      ...{ writes: plenty, listings: plenty, inFlight: 10_000 },
      failures: plenty,
    },
    encoders: Object.fromEntries(
      keys.map(({ each, key }) => [each, { keys: [{ id: 'bench', sha256: digestOf(key) }] }]),
    ),
  }
  writeFileSync(file('config.json'), JSON.stringify(config), { mode: 0o640 })
  const args = [...nodeFlags, bin, 'serve', '--config', file('config.json')]
  // As systemd/pinwarden.service has it.
  const command = ['MALLOC_ARENA_MAX=2', process.execPath, ...args]
  const child = place.sandbox.spawnProgram(room, 'env', command)
  const credentials = keys.map(({ each, key }) => `${each}:${key}`)
  const credential = credentials.find((each) => each.startsWith(`${user}:`)) ?? ''
  const ports = { port, tlsPort: isTls ? port : 0 }
  return ready(place, room, child, { name, ...ports, credential, credentials })
}
