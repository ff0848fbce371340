/** Finds leaseIds in the ledger, so that encoders keep their pins in new settings. */
import { atOnce } from '../time/slices.js'
import { newLeaseId } from '../settings/values/lease-id.js'
import { encodersOf } from '../settings/keyring/resolve.js'
import { loadConfig } from '../settings/load.js'
import type { Config } from '../settings/schema/schema.js'
import type { Io } from './io.js'
import { type LedgerSource, readNames } from './read-ledger.js'
import { CommandError, warn } from './report.js'

export type LeaseIds = ReadonlyMap<string, string>

/** By the encoder's name; none if there is no ledger. @throws CommandError it cannot be read */
export async function leaseIdsIn(config: Config, source?: LedgerSource): Promise<LeaseIds> {
  const names = await readNames(config, source)
  return new Map([...names].map(([holder, name]) => [name, holder]))
}

/** The same; none, with a warning, if the ledger cannot be read. */
async function knownHolders(config: Config, io: Io): Promise<LeaseIds> {
  try {
    return await leaseIdsIn(config)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    warn(io, `new encoders get new leaseIds, as the ledger cannot be read: ${error.message}`)
    return new Map()
  }
}

/** For an encoder that the settings do not have. */
export async function leaseIdFor(encoder: string, configPath: string, io: Io): Promise<string> {
  const config = await loadConfig(configPath).catch(() => undefined)
  // The command that edits the file reports its problems.
  if (config === undefined || Object.hasOwn(config.encoders, encoder)) return newLeaseId()
  const found = (await knownHolders(config, io)).get(encoder)
  const isTaken = [...atOnce(encodersOf(config)).values()].some(({ leaseId }) => leaseId === found)
  if (found === undefined || isTaken) return newLeaseId()
  io.stderr.write(`${knownText(encoder, found)}\n`)
  return found
}

export const knownText = (encoder: string, leaseId: string): string =>
  `the ledger knows ${encoder}: it gets back its leaseId ${leaseId}, and so its pins`
