/** The control socket: operators' commands reach the daemon through it. */
import { once } from 'node:events'
import fastify from 'fastify'
import { errorBody } from '../http/error-body.js'
import { ClusterFault } from '../cluster/faults.js'
import { LedgerFault } from '../ledger/storage/ledger-storage.js'
import type { Log } from '../log/log.js'
import type { Reload } from '../settings/reload/live.js'
import { schemaController, closeNow } from '../http/fastify.js'
import { messageOf } from './control-changes.js'
import { addQueueRoutes, type QueueRoutesParts } from './control-queue.js'
import { addLedgerRoutes, type LedgerRoutesParts } from './control-ledger.js'
import { addPinRoutes, type PinRoutesParts } from './control-pins.js'
import { addPulse } from './control-pulse.js'
import { ControlRefusal } from './control-refusal.js'
import { type AdminPlaces, createAdminListener, onClientError } from './admin-listener.js'
import { listenOnSocket } from './socket.js'

export interface ControlParts extends Pick<
  PinRoutesParts & QueueRoutesParts,
  'current' | 'retryQueue'
> {
  readonly ledger: PinRoutesParts['ledger'] & LedgerRoutesParts['ledger']
  /** Path of the socket; only its owner and root may use it. */
  readonly socket: string
  readonly ledgerDisk: LedgerRoutesParts['disk'] & PinRoutesParts['disk']
  /** Tells the daemon from one with other settings, or on another port. */
  readonly identity: () => Identity
  readonly encoderNames: () => Promise<ReadonlyMap<string, string>>
  /** Reloads the settings; undefined: the daemon starts or stops. */
  readonly reload: () => Promise<Reload | undefined> | undefined
  /** Once aborted, no other change of a pin begins. */
  readonly isStopping: () => boolean
  readonly log: Log
  readonly places: AdminPlaces
}

export interface Identity {
  /** Its settings; undefined: of a test. */
  readonly file: string | undefined
  /** Where the gate listens; null: not yet. */
  readonly url: string | null
  /** Identifies its ledger. */
  readonly gateId: string
}

/** The answer that `pinwarden reload` gets. */
export type ReloadAnswer = Reload

export interface OpenControl {
  /** Waits for changes that have begun; their commands get their answers. */
  close(): Promise<void>
}

/** Errors with a sentence for the operator. */
const shown = [ControlRefusal, ClusterFault, LedgerFault]

const bodyBytesMax = 1024 * 1024

/** @throws when the socket cannot be listened on */
export async function openControl(parts: ControlParts): Promise<OpenControl> {
  const control = fastify({
    serverFactory: (handler) => createAdminListener(handler, parts.places),
    clientErrorHandler: onClientError,
    schemaController,
    bodyLimit: bodyBytesMax,
  })
  addPulse(control)
  control.setErrorHandler((error, _request, reply) => {
    const status = error instanceof ControlRefusal ? error.status : (statusOf(error) ?? 500)
    const isShown = status < 500 || shown.some((kind) => error instanceof kind)
    if (!isShown) parts.log.bug(error)
    const message = isShown ? messageOf(error) : 'internal error'
    reply.code(status).header('content-type', 'application/json').send(errorBody(status, message))
  })
  const { ledger, ledgerDisk: disk, log, retryQueue, current } = parts
  let isClosing = false
  const inFlight = new Set<Promise<unknown>>()
  addPinRoutes(control, { ...parts, disk }, expected, (path, change) => {
    control.post<{ Body: unknown }>(path, async ({ body, raw }, reply) => {
      const mustStop = () => isClosing || parts.isStopping() || raw.socket.destroyed
      const changed = change(body, mustStop)
      const over = Promise.allSettled([changed, once(reply.raw, 'close')])
      inFlight.add(over)
      void over.then(() => inFlight.delete(over))
      return changed
    })
  })
  addQueueRoutes(control, { queue: ledger.queue, retryQueue, current, log }, expected)
  addLedgerRoutes(control, { disk, ledger, log })
  control.post('/reload', async (): Promise<ReloadAnswer> => {
    const outcome = await parts.reload()
    if (outcome !== undefined) return outcome
    throw new ControlRefusal(503, 'the daemon starts or stops, or failed to read: see its log')
  })
  control.get('/settings', () => parts.identity())
  control.get('/names', async () => Object.fromEntries(await parts.encoderNames()))
  await control.ready()
  await listenOnSocket(control.server, parts.socket, 0o600)
  return {
    close: async () => {
      isClosing = true
      await Promise.all(inFlight)
      await closeNow(control)
    },
  }
}

/** @throws ControlRefusal for a body that no command sends */
function expected<T>(is: (body: unknown) => body is T, body: unknown): T {
  if (is(body)) return body
  throw new ControlRefusal(400, 'this is not what the command sends: is it of the same version?')
}

/** For requests that Fastify itself refuses: malformed or oversized JSON. */
const statusOf = (error: unknown): number | undefined =>
  typeof error === 'object' &&
  error !== null &&
  'statusCode' in error &&
  typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined
