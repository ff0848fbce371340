/**
 * `pinwarden journal list`: the pins that wait, from the daemon, or from the file when no daemon
 * runs.
 */
import type { NamedEntry } from '../../ledger/queue-entry.js'
import type { JsonCalled } from '../command-line.js'
import { configInUse } from '../config-faults.js'
import type { Io } from '../io.js'
import { readQueue } from '../read-ledger.js'
import { table } from '../text-table.js'

export interface JournalListOptions extends JsonCalled {
  /** List the refused pins in place of the waiting ones. */
  readonly rejected: boolean
}

/** In the order in which they were accepted; as JSON one a line. */
export async function journalList(
  { configPath, json, rejected }: JournalListOptions,
  io: Io,
): Promise<number> {
  const queue = await readQueue((await configInUse(configPath, io)).config)
  const entries = queue.filter(({ rejection }) => (rejection !== undefined) === rejected)
  if (json) io.stdout.write(entries.map((entry) => `${JSON.stringify(shown(entry))}\n`).join(''))
  else if (entries.length === 0)
    io.stdout.write(rejected ? 'nothing was rejected\n' : 'nothing waits\n')
  else io.stdout.write(tableOf(entries, rejected))
  return 0
}

const shown = ({ untilMs, atMs, isRemoved, ...entry }: NamedEntry) => ({
  seq: entry.seq,
  accepted: new Date(atMs).toISOString(),
  encoder: entry.encoder,
  ...(isRemoved && { isRemoved }),
  keyId: entry.keyId,
  cid: entry.cid,
  options: Object.fromEntries(entry.options),
  until: untilMs === Infinity ? null : new Date(untilMs).toISOString(),
  requestId: entry.requestId,
  ...(entry.rejection !== undefined && { rejection: entry.rejection }),
})

const header = ['NUMBER', 'ACCEPTED', 'ENCODER', 'CID', 'UNTIL']

const tableOf = (entries: readonly NamedEntry[], rejected: boolean): string =>
  table(
    rejected ? [...header, 'WHY'] : header,
    entries
      .map(shown)
      .map(({ seq, accepted, encoder, isRemoved, cid, until, rejection }) => [
        String(seq),
        accepted,
        isRemoved === true ? `${encoder} (removed)` : encoder,
        cid,
        until ?? 'no end',
        ...(rejected ? [rejection ?? ''] : []),
      ]),
  )
