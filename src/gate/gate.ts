/** The gate: one request's way, from the public port to the cluster and back. Read this first. */
import { randomBytes } from 'node:crypto'
import fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import type { Log } from '../log/log.js'
import { loggerOf } from '../log/logger.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import type { OpenLedger } from '../ledger/open-ledger.js'
import type { PendingCounts } from '../ledger/pending-counts.js'
import type { Listings } from '../listings/listings.js'
import type { Registry } from '../metrics/registry.js'
import type { Clock } from '../time/clock.js'
import type { PinTracker } from '../tracking/tracker.js'
import type { RequestHeaders } from '../http/headers.js'
import { schemaController } from '../http/fastify.js'
import type { TlsMaterial } from '../settings/files/tls-pair.js'
import type { Budget } from '../settings/values/permissions.js'
import type { Snapshot } from '../settings/snapshot.js'
import type { Store } from '../store/store.js'
import { type AccessLine, levels } from '../log/access-line.js'
import { refuse } from './answer.js'
import { authenticate } from './authenticate/authenticate.js'
import { authorize } from './authorize/authorize.js'
import { dropBodies } from './receive/body.js'
import { BudgetUse } from './limit/budget-use.js'
import { Connections } from './receive/connections.js'
import { counters } from './limit/counter.js'
import { countFailures } from './authenticate/failures.js'
import { answerError } from './answering.js'
import { findRoute } from './find-route.js'
import { forward, type Forwarding } from './forward/forward.js'
import { Quota } from './ownership/quota.js'
import { limit } from './limit/limit.js'
import { createPublicListener } from './receive/public-listener.js'
import { Outage } from './outage/outage.js'
import { Replay } from './outage/replay.js'
import type { Receiving } from './receive/receive.js'
import { registerRequests } from './record/request-metrics.js'
import type { RequestRecord } from './record/record.js'
import { recordOf } from './request.js'
import { methodsOf, routes } from './routes.js'
import { pathFrom } from './target.js'

export interface GateParts {
  /** The settings in force; read once for each request. */
  readonly current: () => Snapshot
  readonly tls: TlsMaterial | undefined
  readonly log: Log
  /** Registry for the metrics of requests. */
  readonly metrics: Registry
  /** Sees the line of every request. */
  readonly observe: (line: AccessLine) => void
  readonly cluster: ClusterClient
  /** Sent in each request to the cluster. */
  readonly headers: RequestHeaders
  /** The store of several gates; undefined: this gate is alone. */
  readonly store: Store | undefined
  readonly listings: Pick<Listings, 'find'>
  readonly ledger: Pick<OpenLedger, 'changes' | 'holdings' | 'ownPins' | 'queue'>
  readonly pendingCounts: PendingCounts
  readonly tracker: PinTracker
  readonly clock: Clock
  /** Whether the gate is ready, as far as it knows without a request: for health checks. */
  readonly isReady: () => boolean
  /** Called when a pin of this CID enters the queue. */
  readonly onQueued: (cid: string) => void
}

export interface Gate {
  /** The line of phases; the caller lets it listen. */
  readonly app: FastifyInstance
  readonly connections: Pick<Connections, 'requestsInFlight' | 'retire' | 'drain'>
  /** The remaining part of an encoder's budget; undefined: all of it. */
  budgetLeft(encoder: string, budget: Budget): number | undefined
  /** The replay of the queue. */
  readonly replay: Pick<Replay, 'report' | 'retryNow'>
  /** Answers requests that wait for a pin, and stops the replay of the queue. */
  stopWaiting(): void
  close(): Promise<void>
}

/** Builds the gate; the caller lets it listen, and closes it. */
export async function createGate(parts: GateParts): Promise<Gate> {
  const { clock, log, metrics, observe, onQueued } = parts
  const { changes, holdings, ownPins, queue } = parts.ledger
  const connections = new Connections(parts.current().config.listen, log.sink)
  const budgetUse = new BudgetUse()
  const countRequest = registerRequests(metrics, connections)
  const write = (line: AccessLine): void => {
    log.access(levels[line.outcome], line)
    countRequest(line)
    observe(line)
  }
  const quota = new Quota(holdings, parts.pendingCounts)
  const onAccepted = (cid: string): void => {
    replay.start()
    onQueued(cid)
  }
  const outage = new Outage({ queue, quota, onAccepted, clock })
  const app = await createLine({
    ...{ ...parts, ledger: changes, holdings, ownPins },
    ...{ connections, budgetUse, write, quota, outage },
  })
  // The replay begins immediately, so no later step may fail.
  const replay: Replay = replayOf(parts, quota)
  const stopWaiting = (): void => {
    outage.close()
    replay.close()
  }
  return {
    ...{ app, connections, replay, stopWaiting },
    budgetLeft: (encoder, budget) => budgetUse.remaining(encoder, budget),
    close: async () => {
      await app.close()
      stopWaiting()
    },
  }
}

interface LineParts extends Forwarding, Receiving, Pick<GateParts, 'tls' | 'log' | 'store'> {
  readonly budgetUse: BudgetUse
}

async function createLine(parts: LineParts): Promise<FastifyInstance> {
  const { current, tls, log } = parts
  const { listen, limits } = current().config
  const app = fastify({
    // receive: runs before Fastify, and for requests that Fastify never sees.
    serverFactory: (handler) => createPublicListener(handler, parts, tls),
    // The router gets the canonical path, without a query.
    rewriteUrl: (request) => routedPath(recordOf({ raw: request })),
    routerOptions: { maxParamLength: listen.urlBytesMax },
    schemaController,
    exposeHeadRoutes: false,
    // While it closes, the gate still answers requests on their way.
    return503OnClosing: false,
    clientErrorHandler: () => undefined,
    frameworkErrors: (_error, request, reply) => {
      refuse(reply, recordOf(request), 'bad-path')
    },
  })
  const createCounter = await counters(app, parts.store, randomBytes(16).toString('hex'))
  const countFailure = countFailures(createCounter, limits.failures.addressesMax)
  dropBodies(app, listen.bodyBytesMax)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', recordOf(request).id)
    done()
  })

  // The phases after receive, in their order; each passes the request on, or answers it.
  app.addHook('onRequest', await authenticate(app, countFailure))
  app.addHook('onRequest', findRoute())
  app.addHook('onRequest', limit(createCounter, parts.budgetUse))
  app.addHook('onRequest', authorize())

  app.setNotFoundHandler((request, reply) => {
    refuse(reply, recordOf(request), 'unknown-route')
  })
  app.setErrorHandler<FastifyError>((error, _request, reply) => {
    answerError(reply, error, log)
  })
  // The last phase. Its routes take over the hooks and handlers that are there by then.
  await forward(app, parts)
  refuseOtherMethods(app)
  return app
}

/** Queued pins are written by the same rules as pins of requests. */
function replayOf(parts: GateParts, quota: Quota): Replay {
  const { current, log, cluster, headers, ledger, tracker, clock } = parts
  return new Replay({
    ...{ current, ledger: ledger.changes, queue: ledger.queue, quota, tracker, clock, headers },
    log: loggerOf(log),
    isClusterAvailable: () => cluster.current.isAvailable,
  })
}

/** A malformed path has no route; authorize refuses it. */
const routedPath = ({ target }: RequestRecord): string =>
  target === undefined ? '/' : pathFrom(target.segments)

/** Paths with another method: authorize answers 405 rather than 404. */
function refuseOtherMethods(app: FastifyInstance): void {
  for (const url of new Set(routes.map((route) => route.url))) {
    const allow = methodsOf(url)
    app.route({
      url,
      method: app.supportedMethods.filter((method) => !allow.includes(method)),
      config: { allow },
      handler: (request, reply) => {
        refuse(reply, recordOf(request), 'method-not-allowed')
      },
    })
  }
}
