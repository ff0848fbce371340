/** `pinwarden pins restore`, `adopt` and `release`: ask the daemon, which changes the pins. */
import { createReadStream } from 'node:fs'
import type { Done } from '../../admin/control-changes.js'
import { reasonBytesMax } from '../../admin/control-pins.js'
import { loadConfig } from '../../settings/load.js'
import { askControl, sentenceOf } from '../ask-control.js'
import type { Io } from '../io.js'
import { readLogLine } from '../../log/line-text.js'
import { changeOf } from '../../settings/values/permissions.js'
import { CommandError, UsageError } from '../report.js'
import { linesOf } from '../tail/follow.js'
import { changeAll, countsText, sayEnd } from './change-all.js'

export interface RestoreOptions {
  readonly configPath: string
  readonly cid: string
}

export async function pinsRestore({ configPath, cid }: RestoreOptions, io: Io): Promise<number> {
  const config = await loadConfig(configPath)
  const [done] = (await askControl(config, 'POST', '/restore', { cid })) as readonly [Done]
  const words = restored.get(done.outcome)
  if (words !== undefined) {
    io.stdout.write(`${done.cid}: ${words}\n`)
    return 0
  }
  const isOver = done.outcome === 'not-pinned' && done.message === undefined
  const hint = isOver ? graceIsOver : undefined
  throw new CommandError(`${cid}: ${sentenceOf(done.message ?? done.outcome)}`, hint)
}

const restored: ReadonlyMap<string, string> = new Map([
  ['restored', 'restored'],
  [
    'restored-to-operator',
    "restored, but its former holders' leases have ended: the operator holds it, without end",
  ],
  ['held-already', 'held-already: nothing was changed'],
])

const graceIsOver = 'the grace period is over, or there was none: pin it again where the data is'

export interface AdoptOptions {
  readonly configPath: string
  readonly encoder: string
  /** A CID a line; `-` is standard input. */
  readonly cids?: string
  /** An access log of the daemon's. */
  readonly fromLog?: string
}

/** The daemon sets the pace. */
const perSecond = 1000

export async function pinsAdopt(options: AdoptOptions, io: Io): Promise<number> {
  const { configPath, encoder, cids, fromLog } = options
  if ((cids === undefined) === (fromLog === undefined))
    throw new UsageError('pins adopt needs either --cids or --from-log')
  const config = await loadConfig(configPath)
  const items =
    fromLog === undefined ? cidsIn(linesIn(cids ?? '-', io)) : await pinnedIn(fromLog, encoder, io)
  const counts = await changeAll(
    config,
    {
      ...{ items, path: '/adopt', perSecond, endsWithFault: false },
      total: items instanceof Set ? items.size : undefined,
      bodyOf: (batch) => ({ encoder, cids: batch }),
      goOn: 'run the same command again to continue: it skips pins that the encoder already holds',
    },
    io,
  )
  if (counts.size > 0) return sayEnd(counts, ['failed', 'bad-cid'], io)
  io.stdout.write('nothing to adopt: the file does not name any pins\n')
  return 0
}

export interface ReleaseOptions {
  readonly configPath: string
  readonly cids: readonly string[]
  readonly reason: string
}

/** For good: if a crash brings the pin back, the gate unpins it again. */
export async function pinsRelease(options: ReleaseOptions, io: Io): Promise<number> {
  const { cids: items, reason } = options
  if (reason.trim() === '' || Buffer.byteLength(reason) > reasonBytesMax)
    throw new UsageError(`--reason takes a text of 1 to ${reasonBytesMax} bytes`)
  const config = await loadConfig(options.configPath)
  const counts = await changeAll(
    config,
    {
      ...{ items, path: '/release', perSecond, total: items.length, endsWithFault: false },
      bodyOf: (cids) => ({ reason, cids }),
      goOn: 'run the same command again to continue: it skips pins that are already released',
    },
    io,
  )
  io.stdout.write(`${countsText(counts)}\n`)
  if (counts.of('waiting') > 0)
    io.stdout.write(
      'waiting: the cluster is down, or another change is in progress; the daemon unpins later\n',
    )
  return counts.of('failed') + counts.of('bad-cid') + counts.of('not-a-plain-pin') === 0 ? 0 : 1
}

const linesIn = (file: string, io: Io): AsyncGenerator<string> =>
  linesOf(file === '-' ? (io.stdin ?? []) : createReadStream(file))

async function* cidsIn(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) if (line.trim() !== '') yield line.trim()
}

/** CIDs that the encoder pinned and did not unpin afterwards. */
async function pinnedIn(file: string, encoder: string, io: Io): Promise<Set<string>> {
  const pinned = new Set<string>()
  for await (const text of linesIn(file, io)) {
    const line = readLogLine(text)
    if (line?.encoder !== encoder || line.status !== 200 || line.cid === undefined) continue
    const change = line.permission && changeOf[line.permission]
    if (change === 'pin') pinned.add(line.cid)
    if (change === 'unpin') pinned.delete(line.cid)
  }
  return pinned
}
