/** `pinwarden journal list`: the pins that wait, read from the file: it needs no daemon. */
import { type Entry, readContents } from '../../journal/entry.js'
import { journalPath, readJournal } from '../../journal/journal-file.js'
import { loadConfig } from '../../settings/load.js'
import type { Io } from '../io.js'
import { CommandError } from '../report.js'
import { table } from '../text-table.js'

export interface JournalListOptions {
  readonly configPath: string
  readonly json: boolean
}

/** In the order in which they were accepted; as JSON one a line. */
export async function journalList(
  { configPath, json }: JournalListOptions,
  io: Io,
): Promise<number> {
  const { directory } = (await loadConfig(configPath)).journal
  const { entries, damaged } = readContents((await textIn(directory)) ?? '')
  if (damaged > 0) io.stderr.write(`${damaged} lines of the journal cannot be read\n`)
  if (json) io.stdout.write(entries.map((entry) => `${JSON.stringify(shown(entry))}\n`).join(''))
  else io.stdout.write(entries.length === 0 ? 'nothing waits\n' : tableOf(entries))
  return 0
}

async function textIn(directory: string): Promise<string | undefined> {
  try {
    return await readJournal(directory)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an error'
    throw new CommandError(
      `${journalPath(directory)} cannot be read: ${code}`,
      'its owner and root may read it',
    )
  }
}

const shown = ({ seq, atMs, encoder, keyId, cid, options, untilMs, requestId }: Entry) => ({
  seq,
  accepted: new Date(atMs).toISOString(),
  encoder,
  keyId,
  cid,
  options: Object.fromEntries(options),
  until: untilMs === Infinity ? null : new Date(untilMs).toISOString(),
  requestId,
})

const header = ['NUMBER', 'ACCEPTED', 'ENCODER', 'CID', 'UNTIL']

const tableOf = (entries: readonly Entry[]): string =>
  table(
    header,
    entries
      .map(shown)
      .map(({ seq, accepted, encoder, cid, until }) => [
        String(seq),
        accepted,
        encoder,
        cid,
        until ?? 'no end',
      ]),
  )
