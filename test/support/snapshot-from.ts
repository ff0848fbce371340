/** Settings of an object: what a file of it comes to. */
import { settingsFrom } from '../../src/settings/load.js'
import type { Snapshot } from '../../src/settings/snapshot.js'

/** @param baseDir where files that it names are looked for */
export const snapshotFrom = (
  input: unknown,
  { baseDir = process.cwd() }: { readonly baseDir?: string } = {},
): Snapshot => settingsFrom(JSON.stringify(input), baseDir).snapshot
