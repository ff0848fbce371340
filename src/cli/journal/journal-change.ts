/** `pinwarden journal replay` and `journal drop`: told to the daemon that has the journal. */
import type { Dropped, Which } from '../../admin/control-queue.js'
import { canonicalCid } from '../../cluster/cid.js'
import { loadConfig } from '../../settings/load.js'
import { askControl } from '../ask-control.js'
import type { Io } from '../io.js'
import { UsageError } from '../report.js'

export async function journalReplay(configPath: string, io: Io): Promise<number> {
  const config = await loadConfig(configPath)
  const { waiting } = (await askControl(config, 'POST', '/journal/replay')) as { waiting: number }
  io.stdout.write(`${waiting} pins wait, and are tried now\n`)
  return 0
}

export interface DropOptions {
  readonly configPath: string
  readonly number?: string | undefined
  readonly cid?: string | undefined
  readonly encoder?: string | undefined
  readonly all?: boolean | undefined
  readonly rejected?: boolean | undefined
}

export async function journalDrop(options: DropOptions, io: Io): Promise<number> {
  const which = whichOf(options)
  const config = await loadConfig(options.configPath)
  const { dropped, left } = (await askControl(config, 'POST', '/journal/drop', which)) as Dropped
  io.stdout.write(`${dropped} pins are dropped, ${left} wait\n`)
  return 0
}

/** What is dropped is lost: so it takes a word, and no word too many. */
function whichOf({ number, cid, encoder, all, rejected }: DropOptions): Which {
  const isNarrowed = number !== undefined || cid !== undefined || encoder !== undefined
  if ([isNarrowed, all, rejected].filter((isGiven) => isGiven === true).length !== 1)
    throw new UsageError(
      'journal drop takes what is to be dropped',
      '--number, --cid and --encoder, or --all, or --rejected',
    )
  if (rejected === true) return { rejected }
  const seq = number === undefined ? undefined : Number(number)
  if (seq !== undefined && !Number.isSafeInteger(seq))
    throw new UsageError(
      `--number ${String(number)} is not a number`,
      'one of pinwarden journal list',
    )
  const canonical = cid === undefined ? undefined : canonicalCid(cid)
  if (cid !== undefined && canonical === undefined)
    throw new UsageError(`--cid ${cid} is no CID`, 'a CID in any of its spellings')
  return {
    ...(seq !== undefined && { seq }),
    ...(canonical !== undefined && { cid: canonical }),
    ...(encoder !== undefined && { encoder }),
  }
}
