/** The control socket's routes for pins: show who holds them, and change that. */
import type { FastifyInstance } from 'fastify'
import { canonicalCid } from '../cluster/cid.js'
import { isSoftDeleted, liveLeases } from '../leases/decide.js'
import { namesByHolder } from '../leases/holder-names.js'
import type { Lease } from '../leases/lease.js'
import type { Right, SeenReport } from '../ledger/decisions.js'
import type { OpenLedger } from '../ledger/open-ledger.js'
import type { TakeDown } from '../ledger/take-down.js'
import type { LedgerDisk } from '../ledger/storage/ledger-disk.js'
import { type PlannedLease, Upkeep } from '../ledger/upkeep.js'
import type { Log } from '../log/log.js'
import type { Encoder } from '../settings/keyring/encoder.js'
import type { Snapshot } from '../settings/snapshot.js'
import { Deadline } from '../time/deadline.js'
import { changeEach, type Done } from './control-changes.js'
import { ControlRefusal } from './control-refusal.js'

export interface PinRoutesParts {
  readonly current: () => Snapshot
  readonly ledger: Pick<OpenLedger, 'changes' | 'holdings' | 'ownPins' | 'queue' | 'decisions'>
  readonly disk: Pick<LedgerDisk, 'reportedPage'>
  readonly log: Log
}

/** A planned lease in JSON, which knows no Infinity. */
export type PlannedJson = Omit<PlannedLease, 'untilMs'> & { readonly untilMs: number | null }

export interface DecideJson {
  readonly right: Right
  readonly rows: readonly SeenReport[]
}

export interface ReleaseJson {
  readonly reason: string
  readonly cids: readonly string[]
}

/** Bytes; the ledger keeps the reason for good. */
export const reasonBytesMax = 300

/** Handles a request that changes pins; `mustStop`: no other change begins. */
type Change = (body: unknown, mustStop: () => boolean) => Promise<readonly Done[]>

export function addPinRoutes(
  control: FastifyInstance,
  parts: PinRoutesParts,
  read: <T>(is: (body: unknown) => body is T, body: unknown) => T,
  onChange: (path: string, change: Change) => void,
): void {
  const { current, ledger, log } = parts
  const { decisions, changes, queue } = ledger
  const upkeep = new Upkeep(changes, queue)

  onChange('/adopt', async (body, mustStop) => {
    const { encoder, cids } = read(isAdoption, body)
    const { leaseId: holder, retentionMs } = encoderOf(current(), encoder)
    const act = (cid: string) => upkeep.adopt(cid, { holder, retentionMs })
    const results = await changeEach(asItems(cids), mustStop, act)
    log.info({ encoder, ...countsOf(results) }, 'an operator gave pins to an encoder')
    return results
  })

  onChange('/restore', async (body, mustStop) => {
    const { cid } = read(isPin, body)
    const results = await changeEach([{ cid }], mustStop, async (cid) => {
      const outcome = await upkeep.restore(cid)
      if (outcome !== 'not-pinned') return outcome
      const { takeDown } = await decisions.notesOf(cid)
      return takeDown === undefined ? outcome : { cid, outcome, message: takeDownText(takeDown) }
    })
    log.info({ ...results[0] }, 'an operator asked to restore a pin')
    return results
  })

  onChange('/release-planned', async (body, mustStop) => {
    const planned = read(arePlanned, body)
    const graceMs = current().config.unpin.graceSeconds * 1000
    const results = await changeEach(planned, mustStop, (cid, lease) =>
      upkeep.release({ ...leaseIn(lease), cid }, graceMs),
    )
    log.info(countsOf(results), 'an operator applied planned releases')
    return results
  })

  onChange('/decide', async (body, mustStop) => {
    const { right, rows } = read(isDecision, body)
    const results = await changeEach(rows, mustStop, async (cid, row): Promise<Done> => {
      const decided = await decisions.decide({ ...row, cid }, right)
      return typeof decided === 'string'
        ? { cid, outcome: decided }
        : { cid, outcome: 'rejected', message: decided.rejected }
    })
    log.info(
      { right, ...countsOf(results) },
      'an operator decided on pins that were changed outside the gate',
    )
    return results
  })

  onChange('/release', async (body, mustStop) => {
    const { reason, cids } = read(isRelease, body)
    return changeEach(asItems(cids), mustStop, async (cid) => {
      const { outcome, holders, queued } = await decisions.takeDown(cid, reason)
      const names = namesByHolder(current())
      const encoders = holders.map((holder) => names.get(holder) ?? holder)
      log.warn({ cid, reason, outcome, encoders, queued }, 'an operator released a pin for good')
      return outcome
    })
  })

  control.get<{ Querystring: { report?: string; after?: string } }>('/reported', ({ query }) => {
    const { report, after } = query
    if (report !== 'missing' && report !== 'unexpected')
      throw new ControlRefusal(400, 'report is missing or unexpected')
    return parts.disk.reportedPage(report, after, pageMax)
  })

  control.post('/compare', async () => {
    if (await ledger.holdings.refresh()) return ledger.holdings.undecided
    throw new ControlRefusal(503, notCompared)
  })

  control.get<{ Params: { cid: string } }>('/pins/:cid', async ({ params }) => {
    const cid = canonicalCid(params.cid)
    if (cid === undefined) throw new ControlRefusal(400, 'this is not a CID')
    return pinOf(cid, parts)
  })

  control.get<{ Querystring: { encoder?: string; after?: string } }>('/held', async ({ query }) => {
    const { leaseId } = encoderOf(current(), query.encoder ?? '')
    const { holdings, ownPins } = ledger
    if (holdings.since === undefined && !(await holdings.count()))
      throw new ControlRefusal(503, notCounted)
    const { cids, total: count } = await ownPins.page(leaseId, query.after, pageMax)
    return { count, cids }
  })
}

const pageMax = 10_000

const notCounted =
  'the leases are not counted yet: the cluster, or another gate, has not answered; try again later'

const notCompared =
  'could not compare the ledger with the cluster: the cluster is down, or the gate verifies ' +
  'recent writes, or the ledger is a copy; the log and pinwarden status say which'

const asItems = (cids: readonly string[]) => cids.map((cid) => ({ cid }))

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null

const areTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

const isAdoption = (body: unknown): body is { encoder: string; cids: readonly string[] } =>
  isObject(body) && typeof body.encoder === 'string' && areTexts(body.cids)

const isPin = (body: unknown): body is { cid: string } =>
  isObject(body) && typeof body.cid === 'string'

const isRelease = (body: unknown): body is ReleaseJson =>
  isObject(body) &&
  typeof body.reason === 'string' &&
  body.reason.trim() !== '' &&
  Buffer.byteLength(body.reason) <= reasonBytesMax &&
  areTexts(body.cids)

const isDecision = (body: unknown): body is DecideJson =>
  isObject(body) &&
  (body.right === 'gate' || body.right === 'hand') &&
  Array.isArray(body.rows) &&
  body.rows.every(
    (row) =>
      isObject(row) &&
      typeof row.cid === 'string' &&
      (row.report === 'missing' || row.report === 'unexpected') &&
      typeof row.version === 'string',
  )

const arePlanned = (body: unknown): body is readonly PlannedJson[] =>
  Array.isArray(body) &&
  body.every(
    (planned) =>
      isObject(planned) &&
      typeof planned.cid === 'string' &&
      typeof planned.holder === 'string' &&
      typeof planned.sinceMs === 'number' &&
      (planned.untilMs === null || typeof planned.untilMs === 'number') &&
      (planned.token === undefined || typeof planned.token === 'string'),
  )

const leaseIn = (planned: PlannedJson): PlannedLease => ({
  ...planned,
  untilMs: planned.untilMs ?? Infinity,
})

/** One pin as the gate sees it. */
async function pinOf(cid: string, { current, ledger }: PinRoutesParts): Promise<object> {
  const snapshot = current()
  const headers = { accept: 'application/json', 'user-agent': 'pinwarden' }
  const { statusTimeoutMs } = snapshot.config.cluster
  const { row, report, takeDown } = await ledger.decisions.notesOf(cid)
  const queued = ledger.queue.live(cid)
  const isQueued = queued.length > 0
  const { record, read } = await ledger.changes
    .look(cid, new Deadline(statusTimeoutMs), headers)
    .catch((error: unknown) => {
      // What is owed is known without the cluster.
      if (isQueued || row !== undefined) return { record: undefined, read: null }
      throw error
    })
  // Released, but the cluster has it: a doubt is open, or the read is older than the release.
  const isReleased = record === undefined && read !== undefined && read !== null
  const owed = read === null ? row : (record ?? read)
  const isGone = record === undefined && takeDown !== undefined && !isQueued && !isReleased
  if (isGone) throw new ControlRefusal(404, takeDownText(takeDown))
  if (owed === undefined && !isQueued)
    throw new ControlRefusal(404, 'pin is not part of the pinset')
  const now = Date.now()
  const ofRow = read === null ? (row?.leases ?? []) : []
  const leases = record ? liveLeases(record, now) : ofRow.filter(({ untilMs }) => untilMs > now)
  const names = namesByHolder(snapshot)
  const shown = ({ holder, sinceMs, untilMs }: Lease) => ({
    encoder: names.get(holder) ?? null,
    leaseId: holder,
    since: timeText(sinceMs),
    until: timeText(untilMs),
  })
  return {
    cid,
    name: owed?.options.find(([name]) => name === 'name')?.[1] ?? '',
    type: (record ?? read)?.type ?? '',
    written: timeText((record ?? read)?.writtenMs ?? Infinity),
    expires: timeText(owed?.expiresMs ?? Infinity),
    isLetGo: !isReleased && owed !== undefined && isSoftDeleted(owed),
    ...{ isReleased, takeDown: takeDown?.reason ?? null },
    isQueued,
    isInCluster: read === null ? null : read !== undefined,
    report: report ?? null,
    leases: leases.map(shown),
    former: isReleased ? [] : (owed?.former.map(shown) ?? []),
    queued: queued.map(({ holder, atMs, untilMs }) => shown({ holder, sinceMs: atMs, untilMs })),
  }
}

/** Null: the pin has no end, or the cluster lacks a record that is owed. */
const timeText = (ms: number): string | null =>
  Number.isFinite(ms) ? new Date(ms).toISOString() : null

const takeDownText = ({ atMs, reason }: TakeDown): string =>
  `an operator released this pin for good at ${String(timeText(atMs))}: ${reason}`

function encoderOf({ keyring }: Snapshot, name: string): Encoder {
  const encoder = keyring.encoder(name)
  if (encoder === undefined) throw new ControlRefusal(404, `there is no encoder ${name}`)
  return encoder
}

function countsOf(results: readonly Done[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { outcome } of results) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}
