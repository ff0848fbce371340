/** `pinwarden journal replay` and `journal drop`: ask the daemon that has the journal. */
import type { Dropped, Which } from '../../admin/control-queue.js'
import { canonicalCid } from '../../cluster/cid.js'
import { loadConfig } from '../../settings/load.js'
import { askControl } from '../ask-control.js'
import type { Called } from '../command-line.js'
import type { Io } from '../io.js'
import { CommandError, UsageError } from '../report.js'

export async function journalReplay({ configPath }: Called, io: Io): Promise<number> {
  const config = await loadConfig(configPath)
  const { waiting } = (await askControl(config, 'POST', '/journal/replay')) as { waiting: number }
  if (waiting === 0) io.stdout.write('nothing waits\n')
  else io.stdout.write(`${waiting} ${waiting === 1 ? 'pin waits' : 'pins wait'}: retrying now\n`)
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
  const waits = left === 0 ? 'none waits' : `${left} ${left === 1 ? 'waits' : 'wait'}`
  if (dropped === 0 && (options.all === true || options.rejected === true)) {
    const nothing = options.all === true ? 'nothing waits' : 'nothing was rejected'
    io.stdout.write(`${nothing}: nothing was dropped\n`)
    return 0
  }
  if (dropped === 0)
    throw new CommandError(`no waiting pin matches, so nothing was dropped; ${waits}`, listing)
  io.stdout.write(`dropped ${dropped} ${dropped === 1 ? 'pin' : 'pins'}; ${waits}\n`)
  return 0
}

const listing = 'pinwarden journal list shows their numbers, CIDs and encoders'

/** Dropping loses pins, so the command needs one exact selection. */
function whichOf({ number, cid, encoder, all, rejected }: DropOptions): Which {
  const isNarrowed = number !== undefined || cid !== undefined || encoder !== undefined
  if ([isNarrowed, all, rejected].filter((isGiven) => isGiven === true).length !== 1)
    throw new UsageError(
      'journal drop needs to know what to drop',
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
    throw new UsageError(`--cid ${cid} is not a CID`, 'a CID in any spelling')
  return {
    ...(seq !== undefined && { seq }),
    ...(canonical !== undefined && { cid: canonical }),
    ...(encoder !== undefined && { encoder }),
  }
}
