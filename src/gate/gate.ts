/** The gate: one request's way, from the public port to the cluster and back. Read this first. */
import { randomBytes } from 'node:crypto'
import fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import { ClusterFault } from '../cluster/faults.js'
import type { Log } from '../log/log.js'
import { schemaController } from '../http/fastify-options.js'
import type { TlsMaterial } from '../settings/files/tls-pair.js'
import type { Snapshot } from '../settings/snapshot.js'
import type { Store } from '../store/store.js'
import { StoreFault } from '../store/store-fault.js'
import { type AccessLine, levels } from '../log/access-line.js'
import { answer, closeUnlessBodyIsSmall, refuse } from './answer.js'
import { authenticate } from './authenticate/authenticate.js'
import { authorize } from './authorize/authorize.js'
import { dropBodies } from './receive/body.js'
import type { BudgetUse } from './limit/budget-use.js'
import type { Connections } from './receive/connections.js'
import { counters } from './limit/counter.js'
import { countFailures } from './authenticate/failures.js'
import { answerFault, isStoreFault } from './fault.js'
import { findRoute } from './find-route.js'
import { forward, type Forwarding } from './forward/forward.js'
import { limit } from './limit/limit.js'
import { createPublicListener } from './receive/public-listener.js'
import type { RequestRecord } from './record/record.js'
import { BadRequest, type RefusalReason } from './refusals.js'
import { recordOf } from './request.js'
import { methodsOf, routes } from './routes.js'
import { pathFrom } from './receive/target.js'

export interface GateParts extends Forwarding {
  /** The settings in force; asked once for each request. */
  readonly current: () => Snapshot
  readonly tls: TlsMaterial | undefined
  readonly log: Log
  /** Sees the line of every request, for the metrics. */
  readonly observe: (line: AccessLine) => void
  readonly connections: Connections
  readonly budgetUse: BudgetUse
  /** What several gates share; undefined: this one is alone. */
  readonly store: Store | undefined
}

/** Builds the gate; the caller lets it listen, and closes it. */
export async function createGate(parts: GateParts): Promise<FastifyInstance> {
  const { current, log, observe, connections } = parts
  const { listen, limits } = current().config

  const gate = fastify({
    // receive: before Fastify sees anything, and also what it never sees.
    serverFactory: (handler) =>
      createPublicListener(
        handler,
        { current, connections, write: writer(log, observe) },
        parts.tls,
      ),
    // The router gets the path in its one spelling, and no query.
    rewriteUrl: (request) => routedPath(recordOf({ raw: request })),
    routerOptions: { maxParamLength: listen.urlBytesMax },
    schemaController,
    exposeHeadRoutes: false,
    // Requests that are already on their way in are still answered while closing.
    return503OnClosing: false,
    clientErrorHandler: () => undefined,
    frameworkErrors: (_error, request, reply) => {
      refuse(reply, recordOf(request), 'bad-path')
    },
  })
  const createCounter = await counters(gate, parts.store, randomBytes(16).toString('hex'))
  dropBodies(gate, listen.bodyBytesMax)

  gate.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', recordOf(request).id)
    done()
  })
  gate.addHook(
    'onRequest',
    await authenticate(gate, countFailures(createCounter, limits.failures.addressesMax)),
  )
  gate.addHook('onRequest', findRoute())
  gate.addHook('onRequest', limit(createCounter, parts.budgetUse))
  gate.addHook('onRequest', authorize())
  answerErrors(gate, log)
  // What a plugin registers takes over the hooks and handlers that are there by then.
  await forward(gate, parts)
  refuseOtherMethods(gate)
  return gate
}

const writer =
  (log: Log, observe: (line: AccessLine) => void) =>
  (line: AccessLine): void => {
    log.access(levels[line.outcome], line)
    observe(line)
  }

/** A path that cannot be read goes to no route; authorize refuses it. */
const routedPath = ({ target }: RequestRecord): string =>
  target === undefined ? '/' : pathFrom(target.segments)

/** Paths that are known under another method: 405 rather than 404, decided by authorize. */
function refuseOtherMethods(gate: FastifyInstance): void {
  for (const url of new Set(routes.map((route) => route.url))) {
    const allow = methodsOf(url)
    gate.route({
      url,
      method: gate.supportedMethods.filter((method) => !allow.includes(method)),
      config: { allow },
      handler: (request, reply) => {
        refuse(reply, recordOf(request), 'method-not-allowed')
      },
    })
  }
}

function answerErrors(gate: FastifyInstance, log: Log): void {
  gate.setNotFoundHandler((request, reply) => {
    refuse(reply, recordOf(request), 'unknown-route')
  })
  gate.setErrorHandler<FastifyError>((error, request, reply) => {
    const record = recordOf(request)
    if (isStoreFault(error)) {
      closeUnlessBodyIsSmall(reply, record)
      answerFault(reply, error)
      return
    }
    const reason = refusalOf(error)
    if (reason !== undefined) {
      if (reason === 'store-unavailable') reply.header('retry-after', 5)
      refuse(reply, record, reason, error instanceof BadRequest ? error.message : undefined)
      return
    }
    if (record.isFault) {
      // The cluster broke off before anything of its answer had gone out.
      answerFault(reply, new ClusterFault('cluster-cut', error))
      return
    }
    record.bug()
    log.bug(error, record.id)
    answer(reply, 500, 'internal error')
  })
}

/** Fastify's own refusals, in our words. */
const fastifyRefusals = new Map<string, RefusalReason>([
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'bad-content-type'],
  ['FST_ERR_CTP_BODY_TOO_LARGE', 'body-too-large'],
])

function refusalOf(error: FastifyError): RefusalReason | undefined {
  if (error instanceof BadRequest) return error.reason
  if (error instanceof StoreFault) return 'store-unavailable'
  return fastifyRefusals.get(error.code)
}
