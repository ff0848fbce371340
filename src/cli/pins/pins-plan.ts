/** `pinwarden pins plan`: which leases would go, read from the cluster's state. Changes nothing. */
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import { readLines } from '../../cluster/lines.js'
import { ClusterClient } from '../../cluster/cluster-client.js'
import { isLetGo, liveLeases } from '../../leases/decide.js'
import { namesByHolder } from '../../leases/holder-names.js'
import { type Lease, operator } from '../../leases/lease.js'
import { type PinRecord, readPinRecord } from '../../leases/pin-record.js'
import { loadSettings } from '../../settings/load.js'
import type { Snapshot } from '../../settings/snapshot.js'
import type { Io } from '../io.js'
import { CommandError, UsageError } from '../report.js'
import { spanMsOf } from '../span.js'

export interface PlanOptions {
  readonly configPath: string
  readonly encoder?: string
  /** Of encoders that are not in the configuration any more. */
  readonly removed?: boolean
  /** Pins without leases. */
  readonly ownerless?: boolean
  /** Such as `90d`. */
  readonly olderThan?: string
  readonly out?: string
}

/** `CID HOLDER SINCE UNTIL TOKEN`: milliseconds since the epoch, `-` for no end and no token. */
export async function pinsPlan(options: PlanOptions, io: Io): Promise<number> {
  const wants = wantedBy(options, Date.now())
  const { snapshot } = await loadSettings(options.configPath)
  const names = namesByHolder(snapshot)
  if (options.encoder !== undefined && ![...names.values()].includes(options.encoder))
    throw new CommandError(`there is no encoder ${options.encoder}`)
  const file = options.out === undefined ? undefined : await newFile(options.out)
  const sink = file ?? io.stdout
  const totals = new KeyedCounter()
  let [pins, chosen] = [0, 0]
  await eachRecord(snapshot, (record) => {
    pins++
    if (record.type !== 'pin' || isLetGo(record)) return
    for (const lease of leasesOf(record)) {
      const name = names.get(lease.holder)
      if (!wants(lease, name, record)) continue
      chosen++
      const shown = name ?? `(removed) ${lease.holder}`
      totals.add(shown)
      sink.write(`${lineOf(record.cid, lease)}\n`)
    }
  })
  if (file !== undefined) await once(file.end(), 'close')
  const counts = [...totals].sort(([, one], [, other]) => other - one)
  io.stderr.write(counts.map(([name, count]) => `${String(count).padStart(9)}  ${name}\n`).join(''))
  io.stderr.write(`${chosen} leases of ${pins} pins would go; nothing was changed\n`)
  return 0
}

/** A plan is never written over another: that may be half done. */
async function newFile(path: string): Promise<WriteStream> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  try {
    await once(file, 'open')
    return file
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new CommandError(`${path} cannot be written: ${code}`)
  }
}

type Wants = (lease: Lease, name: string | undefined, record: PinRecord) => boolean

function wantedBy(options: PlanOptions, now: number): Wants {
  const { encoder, removed, ownerless, olderThan } = options
  if (encoder === undefined && removed !== true && ownerless !== true && olderThan === undefined)
    throw new UsageError(
      'pins plan needs to know which leases',
      '--encoder NAME, --removed, --ownerless, --older-than 180d, or several of them',
    )
  const beforeMs = olderThan === undefined ? Infinity : now - spanOf(olderThan)
  const isAny = encoder === undefined && removed !== true && ownerless !== true
  return (lease, name, record) => {
    if (lease.sinceMs >= beforeMs) return false
    const isOwnerless = record.leases.length === 0
    if (isOwnerless) return ownerless === true
    if (isAny) return lease.holder !== operator
    return (encoder !== undefined && name === encoder) || (removed === true && name === undefined)
  }
}

function spanOf(text: string): number {
  const ms = spanMsOf(text)
  if (Number.isNaN(ms))
    throw new UsageError(`--older-than ${text} is no time`, 'such as 12h, 90d, 12w, 1y')
  return ms
}

/** Also those that have run out, and what is the operator's by default. */
const leasesOf = (record: PinRecord): readonly Lease[] =>
  record.leases.length > 0 ? record.leases : liveLeases(record, -Infinity)

const lineOf = (cid: string, { holder, sinceMs, untilMs, token = '-' }: Lease): string =>
  `${cid} ${holder} ${sinceMs} ${untilMs === Infinity ? '-' : untilMs} ${token}`

async function eachRecord(snapshot: Snapshot, take: (record: PinRecord) => void): Promise<void> {
  const cluster = new ClusterClient(snapshot)
  const headers = { accept: 'application/json', 'user-agent': 'pinwarden' }
  const { listTimeoutMs: headMs } = snapshot.config.cluster
  try {
    await readLines(cluster, { path: '/allocations?filter=pin', headers, headMs }, (line) => {
      take(readPinRecord(line.toString()))
    })
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
    throw new CommandError(`the cluster's state could not be read: ${String(error)} ${cause}`)
  } finally {
    await cluster.end()
  }
}
