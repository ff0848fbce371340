/** Finds the directory of the ledger, from settings and systemd. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../settings/schema/schema.js'

export const ledgerName = 'ledger.db'

/** The name of the queue's file in releases without a ledger. */
const formerJournalName = 'journal'

/**
 * Without `ledger.directory`, the ledger is in the directory of the queue. An existing ledger stays
 * in use: an operator who goes back to refusing pins during an outage still wants the pins that
 * were accepted before.
 *
 * @returns undefined: it is only in memory
 */
export function ledgerDirectory(
  { ledger, lookBack, onOutage, journal: { directory } }: Config,
  stateDirectory: string | undefined,
): string | undefined {
  const named = ledger?.directory ?? lookBack?.directory
  if (named !== undefined) return named
  const has = (place: string, name: string): boolean => existsSync(join(place, name))
  const places = stateDirectory === undefined ? [directory] : [directory, stateDirectory]
  const there = places.find((place) => has(place, ledgerName))
  if (there !== undefined || onOutage === 'journal') return there ?? directory
  return stateDirectory ?? (has(directory, formerJournalName) ? directory : undefined)
}

/**
 * A directory with a ledger, where the settings now name another one without any.
 * @returns undefined: there is no such directory
 */
export function leftLedger(config: Config, stateDirectory: string | undefined): string | undefined {
  const has = (place: string | undefined): boolean =>
    place !== undefined && existsSync(join(place, ledgerName))
  const isThere = has(ledgerDirectory(config, stateDirectory))
  return isThere ? undefined : [config.journal.directory, stateDirectory].find(has)
}

/** Directory in which a release without a ledger kept its last writes; undefined: none. */
export function lastWritesDirectory(
  { ledger, lookBack, journal }: Config,
  stateDirectory: string | undefined,
): string | undefined {
  // An operator may have renamed the setting and moved its directory.
  const places = [lookBack?.directory, stateDirectory, ledger?.directory, journal.directory]
  return places.find((place) => place !== undefined && existsSync(join(place, 'last-writes')))
}
