/** Finds the directory of the ledger, from settings and systemd. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../settings/schema/schema.js'

export const ledgerName = 'ledger.db'

/** What releases before the ledger called the file of pins that wait. */
const formerJournalName = 'journal'

/**
 * Where none is named, pins that wait are kept in the directory that the settings have for them. A
 * ledger that is there stays the one: an operator who goes back to refusing pins during an outage
 * still wants what was accepted before.
 *
 * @returns undefined: nowhere, so that it ends with the process
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

/** Directory where a release before the ledger kept its last writes; undefined: none. */
export function lastWritesDirectory(
  { ledger, lookBack, journal }: Config,
  stateDirectory: string | undefined,
): string | undefined {
  // An operator may have given the setting its new name, and its directory another place.
  const places = [lookBack?.directory, stateDirectory, ledger?.directory, journal.directory]
  return places.find((place) => place !== undefined && existsSync(join(place, 'last-writes')))
}
