/**
 * `pinwarden pins plan`: plans which leases to release, from the cluster's state, or what to do
 * about changes outside the gate, from the daemon. Changes nothing.
 */
import { KeyedCounter } from '../../collections/keyed-counter.js'
import { readLines } from '../../cluster/lines.js'
import { ClusterFault } from '../../cluster/faults.js'
import { faults } from '../../gate/refusals.js'
import { connectFault } from '../ask-admin.js'
import { ClusterClient } from '../../cluster/cluster-client.js'
import { isSoftDeleted, liveLeases } from '../../leases/decide.js'
import { namesByHolder } from '../../leases/holder-names.js'
import { type Lease, operator } from '../../leases/lease.js'
import { type PinRecord, readPinRecord } from '../../leases/pin-record.js'
import type { Undecided } from '../../ledger/storage/ledger-storage.js'
import type { ReportedRow } from '../../ledger/storage/row-table.js'
import { loadSettings } from '../../settings/load.js'
import type { Snapshot } from '../../settings/snapshot.js'
import { askControl } from '../ask-control.js'
import type { Io } from '../io.js'
import { CommandError, UsageError } from '../report.js'
import { spanMsOf, spanText } from '../../time/span-text.js'
import { type PlanKind, refuseExisting, writePlan } from './plan-file.js'

export interface PlanOptions {
  readonly configPath: string
  readonly encoder?: string
  /** Leases of encoders that are no longer in the configuration. */
  readonly removed?: boolean
  /** Pins without leases. */
  readonly ownerless?: boolean
  /** First pinned longer ago, such as `90d`. */
  readonly olderThan?: string
  /** Not renewed for so long. */
  readonly notRenewedFor?: string
  /** Pins that are owed and missing in the cluster. */
  readonly missing?: boolean
  /** Pins that were released and are in the cluster. */
  readonly unexpected?: boolean
  readonly out?: string
}

export async function pinsPlan(options: PlanOptions, io: Io): Promise<number> {
  const kind = kindOf(options)
  const wants = kind === 'release' ? wantedBy(options, Date.now()) : undefined
  const { snapshot } = await loadSettings(options.configPath)
  refuseExisting(options.out)
  const names = namesByHolder(snapshot)
  const totals = new KeyedCounter()
  const count = (holder: string): void => {
    totals.add(names.get(holder) ?? `(removed) ${holder}`)
  }
  let lines: readonly string[]
  let summary: string
  if (wants === undefined) {
    const { rows, undecided } = await reportedRows(snapshot, kind, io)
    for (const row of rows) for (const holder of row.holders) count(holder)
    lines = rows.map(({ cid, version }) => `${cid} ${version}`)
    summary = `${rows.length} ${reports[kind]}${undecided}`
  } else {
    const { encoder } = options
    if (encoder !== undefined && ![...names.values()].includes(encoder))
      throw new CommandError(`there is no encoder ${encoder}`)
    const planned = await plannedLeases(snapshot, names, wants)
    for (const { lease } of planned.leases) count(lease.holder)
    lines = planned.leases.map(({ cid, lease }) => lineOf(cid, lease))
    const checked = `(${planned.pins} pins checked)`
    summary = `would release ${lines.length} leases${ageText(options)} ${checked}`
  }
  await writePlan(options.out, kind, lines, io)
  const counts = [...totals].sort(([, one], [, other]) => other - one)
  io.stderr.write(counts.map(([name, count]) => `${String(count).padStart(9)}  ${name}\n`).join(''))
  const next =
    lines.length === 0 ? '' : `; apply with: pinwarden pins apply ${options.out ?? 'PLAN'}`
  io.stderr.write(`${summary}. Nothing was changed${next}\n`)
  return 0
}

const reports = {
  release: '',
  missing: 'pins are owed, but missing or different in the cluster',
  unexpected: 'pins were released, but are in the cluster again',
} as const satisfies Record<PlanKind, string>

function kindOf({ missing, unexpected, ...options }: PlanOptions): PlanKind {
  const { encoder, removed, ownerless, olderThan, notRenewedFor } = options
  const isRelease = [encoder, removed, ownerless, olderThan, notRenewedFor].some(
    (given) => given !== undefined && given !== false,
  )
  const count = [isRelease, missing, unexpected].filter((given) => given === true).length
  if (count !== 1)
    throw new UsageError(
      count === 0
        ? 'pins plan needs a selection of leases or pins'
        : 'leases to release, missing pins and unexpected pins come in one plan each',
      '--encoder NAME, --removed, --ownerless, --older-than 180d, --not-renewed-for 90d or ' +
        'several of them; or --missing; or --unexpected',
    )
  return missing === true ? 'missing' : unexpected === true ? 'unexpected' : 'release'
}

/** Reads the ledger's findings, after a comparison with the cluster's whole state. */
async function reportedRows(
  { config }: Snapshot,
  kind: PlanKind,
  io: Io,
): Promise<{ readonly rows: readonly ReportedRow[]; readonly undecided: string }> {
  // Without a daemon, this fails before the next line claims that it works.
  await askControl(config, 'GET', '/settings')
  io.stderr.write("the daemon is comparing the ledger with the cluster's whole state\n")
  const compared = (await askControl(config, 'POST', '/compare')) as Partial<Undecided>
  const undecided = undecidedText(
    kind === 'missing' ? compared.missing : compared.unexpected,
    compared,
  )
  const rows: ReportedRow[] = []
  for (let after = ''; ;) {
    const query = new URLSearchParams({ report: kind, ...(after !== '' && { after }) })
    const path = `/reported?${query.toString()}`
    const page = (await askControl(config, 'GET', path)) as readonly ReportedRow[]
    const last = page.at(-1)
    if (last === undefined) return { rows, undecided }
    after = last.cid
    for (const row of page) rows.push(row)
  }
}

/** What the plan lacks, and when a new one has it; an older daemon does not say. */
function undecidedText(count = 0, { waitMs = 0 }: Partial<Undecided>): string {
  if (count === 0) return ''
  const after = new Date(Date.now() + waitMs).toISOString().replace(/\.\d+/, '')
  return (
    `. ${count} more may be: they are not in the plan, as they were written in the last minutes, ` +
    `are in doubt or queued. Plan again after ${after} (in ${spanText(waitMs)})`
  )
}

interface PlannedLeases {
  readonly pins: number
  readonly leases: readonly { readonly cid: string; readonly lease: Lease }[]
}

async function plannedLeases(
  snapshot: Snapshot,
  names: ReadonlyMap<string, string>,
  wants: Wants,
): Promise<PlannedLeases> {
  const leases: { cid: string; lease: Lease }[] = []
  let pins = 0
  await eachRecord(snapshot, (record) => {
    pins++
    if (record.type !== 'pin' || isSoftDeleted(record)) return
    for (const lease of leasesOf(record))
      if (wants(lease, names.get(lease.holder), record)) leases.push({ cid: record.cid, lease })
  })
  return { pins, leases }
}

type Wants = (lease: Lease, name: string | undefined, record: PinRecord) => boolean

function wantedBy(options: PlanOptions, now: number): Wants {
  const { encoder, removed, ownerless, olderThan, notRenewedFor } = options
  const sinceMs = olderThan === undefined ? Infinity : now - spanOf('--older-than', olderThan)
  // When the record was written last, by any of its holders: no lease is younger.
  const writtenMs =
    notRenewedFor === undefined ? Infinity : now - spanOf('--not-renewed-for', notRenewedFor)
  const isAny = encoder === undefined && removed !== true && ownerless !== true
  return (lease, name, record) => {
    if (lease.sinceMs >= sinceMs || !(record.writtenMs < writtenMs)) return false
    const isOwnerless = record.leases.length === 0
    if (isOwnerless) return ownerless === true
    if (isAny) return lease.holder !== operator
    return (encoder !== undefined && name === encoder) || (removed === true && name === undefined)
  }
}

function spanOf(option: string, text: string): number {
  const ms = spanMsOf(text)
  if (Number.isNaN(ms))
    throw new UsageError(
      `${option} ${text} is not a time span`,
      'whole hours, days, weeks or years, such as 12h, 90d, 12w, 1y',
    )
  return ms
}

/** The ages that were requested. */
function ageText({ olderThan, notRenewedFor }: PlanOptions): string {
  const ages = [
    ...(olderThan === undefined ? [] : [`first pinned more than ${olderThan} ago`]),
    ...(notRenewedFor === undefined ? [] : [`on pins not renewed for ${notRenewedFor}`]),
  ]
  return ages.length === 0 ? '' : ` (${ages.join(', ')})`
}

/** Also those that have run out, and what is the operator's by default. */
const leasesOf = (record: PinRecord): readonly Lease[] =>
  record.leases.length > 0 ? record.leases : liveLeases(record, -Infinity)

/** `CID HOLDER SINCE UNTIL TOKEN`: milliseconds since the epoch, `-` for no end and no token. */
const lineOf = (cid: string, { holder, sinceMs, untilMs, token = '-' }: Lease): string =>
  `${cid} ${holder} ${sinceMs} ${untilMs === Infinity ? '-' : untilMs} ${token}`

function whyNot(error: unknown, hosts: readonly string[], limitMs: number): string {
  if (!(error instanceof ClusterFault)) return String(error)
  const isOfSystem = error.cause instanceof Error && 'code' in error.cause
  return isOfSystem
    ? connectFault(hosts.join(' or '), error.cause, limitMs)
    : faults[error.reason].message
}

async function eachRecord(snapshot: Snapshot, take: (record: PinRecord) => void): Promise<void> {
  const cluster = new ClusterClient(snapshot)
  const headers = { accept: 'application/json', 'user-agent': 'pinwarden' }
  const { listTimeoutMs: headMs } = snapshot.config.cluster
  try {
    await readLines(cluster, { path: '/allocations?filter=pin', headers, headMs }, (line) => {
      take(readPinRecord(line.toString()))
    })
  } catch (error) {
    const hosts = snapshot.config.cluster.endpoints.map(({ url }) => new URL(url).host)
    throw new CommandError(`the cluster's state could not be read: ${whyNot(error, hosts, headMs)}`)
  } finally {
    await cluster.close()
  }
}
