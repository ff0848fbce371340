/** The control socket: what an operator changes on pins, told to the daemon that holds them. */
import fastify, { type FastifyInstance } from 'fastify'
import { closeNow } from '../http/close-now.js'
import { errorBody } from '../http/error-body.js'
import { canonicalCid } from '../cluster/cid.js'
import { ClusterFault } from '../cluster/faults.js'
import type { OpenLedger } from '../ledger/open-ledger.js'
import { Deadline } from '../time/deadline.js'
import { isLetGo, liveLeases } from '../leases/decide.js'
import { namesByHolder } from '../leases/holder-names.js'
import { type Outcome, type PlannedLease, Upkeep } from '../ledger/upkeep.js'
import type { Log } from '../log/log.js'
import { schemaController } from '../http/fastify-options.js'
import type { Encoder } from '../settings/keyring/encoder.js'
import type { Snapshot } from '../settings/snapshot.js'
import { addJournalRoutes, type JournalRoutesParts } from './control-journal.js'
import { addLedgerRoutes, type LedgerRoutesParts } from './control-ledger.js'
import { ControlRefusal } from './control-refusal.js'
import { createAdminListener, onClientError } from './admin-listener.js'
import { listenOnSocket } from './socket.js'

export interface ControlParts {
  /** Path of the socket; only its owner and root may use it. */
  readonly socket: string
  readonly current: () => Snapshot
  readonly ledger: Pick<OpenLedger, 'changes' | 'holdings' | 'queue'>
  readonly journal: Omit<JournalRoutesParts, 'log' | 'holderOf'>
  readonly ledgerDisk: LedgerRoutesParts['disk']
  readonly encoderNames: () => Promise<ReadonlyMap<string, string>>
  readonly log: Log
}

export interface OpenControl {
  close(): Promise<void>
}

/** What became of one CID. */
export interface Done {
  readonly cid: string
  readonly outcome: Outcome | 'failed' | 'bad-cid'
  readonly message?: string
}

const bodyBytesMax = 1024 * 1024

/** @throws when the socket cannot be listened on */
export async function openControl(parts: ControlParts): Promise<OpenControl> {
  const control = fastify({
    serverFactory: (handler) => createAdminListener(handler),
    clientErrorHandler: onClientError,
    schemaController,
    bodyLimit: bodyBytesMax,
  })
  control.setErrorHandler((error, _request, reply) => {
    const status = error instanceof ControlRefusal ? error.status : (statusOf(error) ?? 500)
    const isTold = status < 500 || error instanceof ControlRefusal || error instanceof ClusterFault
    if (!isTold) parts.log.bug(error)
    const message = isTold ? messageOf(error) : 'internal error'
    reply.code(status).header('content-type', 'application/json').send(errorBody(status, message))
  })
  addRoutes(control, parts)
  const { journal, ledgerDisk: disk, log } = parts
  const holderOf = (name: string) => parts.current().keyring.encoder(name)?.leaseId
  addJournalRoutes(control, { ...journal, holderOf, log }, expected)
  addLedgerRoutes(control, { disk, log })
  await control.ready()
  await listenOnSocket(control.server, parts.socket, 0o600)
  return {
    close: () => closeNow(control),
  }
}

function addRoutes(control: FastifyInstance, parts: ControlParts): void {
  const { current, ledger, log } = parts
  const upkeep = new Upkeep(ledger.changes, ledger.queue)
  const done = async (text: string, act: (cid: string) => Promise<Outcome>): Promise<Done> => {
    const cid = canonicalCid(text)
    if (cid === undefined) return { cid: text, outcome: 'bad-cid' }
    try {
      return { cid, outcome: await act(cid) }
    } catch (error) {
      return { cid, outcome: 'failed', message: messageOf(error) }
    }
  }

  control.post<{ Body: unknown }>('/adopt', async (request) => {
    const { encoder, cids } = expected(isAdoption, request.body)
    const { leaseId: holder, retentionMs } = encoderOf(current(), encoder)
    const results: Done[] = []
    for (const cid of cids)
      results.push(await done(cid, (cid) => upkeep.adopt(cid, { holder, retentionMs })))
    log.info({ encoder, ...countsOf(results) }, 'pins adopted')
    return results
  })

  control.post<{ Body: unknown }>('/restore', async (request) => {
    const asked = expected(isPin, request.body)
    const result = await done(asked.cid, (cid) => upkeep.restore(cid))
    log.info({ ...result }, 'restore of a pin')
    return result
  })

  control.post<{ Body: unknown }>('/release', async (request) => {
    const asked = expected(arePlanned, request.body)
    const graceMs = current().config.unpin.graceSeconds * 1000
    const results: Done[] = []
    for (const planned of asked)
      results.push(
        await done(planned.cid, (cid) => upkeep.release({ ...leaseIn(planned), cid }, graceMs)),
      )
    log.info(countsOf(results), 'leases released')
    return results
  })

  control.get('/names', async () => Object.fromEntries(await parts.encoderNames()))

  control.get<{ Params: { cid: string } }>('/pins/:cid', async ({ params }) => {
    const cid = canonicalCid(params.cid)
    if (cid === undefined) throw new ControlRefusal(400, 'this is no CID')
    return pinOf(cid, parts)
  })

  control.get<{ Querystring: { encoder?: string; after?: string } }>('/held', async ({ query }) => {
    const { leaseId } = encoderOf(current(), query.encoder ?? '')
    const { holdings } = ledger
    if (holdings.since === undefined && !(await holdings.count()))
      throw new ControlRefusal(503, 'the leases could not be counted: the log says why')
    return {
      count: holdings.size(leaseId),
      cids: await holdings.page(leaseId, query.after, pageMax),
    }
  })
}

const pageMax = 10_000

/** A planned lease in JSON, which knows no Infinity. */
export type PlannedJson = Omit<PlannedLease, 'untilMs'> & { readonly untilMs: number | null }

/** @throws ControlRefusal when a body is another one than the command sends */
function expected<T>(is: (body: unknown) => body is T, body: unknown): T {
  if (is(body)) return body
  throw new ControlRefusal(400, 'this is not what the command sends: is it of the same version?')
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const isAdoption = (body: unknown): body is { encoder: string; cids: readonly string[] } =>
  isObject(body) &&
  typeof body.encoder === 'string' &&
  Array.isArray(body.cids) &&
  body.cids.every((cid) => typeof cid === 'string')

const isPin = (body: unknown): body is { cid: string } =>
  isObject(body) && typeof body.cid === 'string'

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

/** Of what Fastify itself refuses: malformed JSON, or too much of it. */
const statusOf = (error: unknown): number | undefined =>
  isObject(error) && typeof error.statusCode === 'number' ? error.statusCode : undefined

const leaseIn = (planned: PlannedJson): PlannedLease => ({
  ...planned,
  untilMs: planned.untilMs ?? Infinity,
})

/** One pin as the gate sees it. */
async function pinOf(cid: string, { current, ledger }: ControlParts): Promise<object> {
  const snapshot = current()
  const headers = { accept: 'application/json', 'user-agent': 'pinwarden' }
  const { statusTimeoutMs } = snapshot.config.cluster
  const { record } = await ledger.changes.look(cid, new Deadline(statusTimeoutMs), headers)
  if (record === undefined) throw new ControlRefusal(404, 'pin is not part of the pinset')
  const names = namesByHolder(snapshot)
  const shown = ({
    holder,
    sinceMs,
    untilMs,
  }: {
    holder: string
    sinceMs: number
    untilMs: number
  }) => ({
    encoder: names.get(holder) ?? null,
    leaseId: holder,
    since: timeText(sinceMs),
    until: timeText(untilMs),
  })
  return {
    cid,
    name: record.options.find(([name]) => name === 'name')?.[1] ?? '',
    type: record.type,
    written: timeText(record.writtenMs),
    expires: timeText(record.expiresMs),
    isLetGo: isLetGo(record),
    leases: liveLeases(record, Date.now()).map(shown),
    former: record.former.map(shown),
  }
}

/** Null: it never ends, or never was: the cluster does not have a record that is owed. */
const timeText = (ms: number): string | null =>
  Number.isFinite(ms) ? new Date(ms).toISOString() : null

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

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return error.message + cause
}
