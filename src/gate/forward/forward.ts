/** Phase 4, forward: a handler for each plan names the request to the cluster. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestHeaders } from '../../http/headers.js'
import type { ClusterClient } from '../../cluster/cluster-client.js'
import type { Holdings } from '../../ledger/holdings.js'
import type { OwnPins } from '../../ledger/own-pins.js'
import type { Listings } from '../../listings/listings.js'
import type { Clock } from '../../time/clock.js'
import type { PinTracker } from '../../tracking/tracker.js'
import type { Answering, StreamedAnswer } from '../answer.js'
import { answeringBy } from '../answering.js'
import type { Outage } from '../outage/outage.js'
import type { UpstreamCall } from '../plan.js'
import { type Authorized, authorized } from '../request.js'
import { routes } from '../routes.js'
import { viaHttpProxy } from '../via-http-proxy.js'
import { type AwaitTerminal, createAwaitTerminal } from './await-terminal.js'
import { type Accepted, createServeListing, type ServeListing } from './listing.js'
import { type ChangePin, createChangePin, type Holders, changeByPath } from './change-pin.js'
import { createShowOwn, type ShowOwn } from './own-view.js'
import { streamAnswer } from './stream-answer.js'

export interface Forwarding extends Holders {
  readonly cluster: ClusterClient
  /** Product token for the cluster's own log. */
  readonly userAgent: string
  readonly listings: Pick<Listings, 'find'>
  readonly holdings: Holdings
  readonly ownPins: OwnPins
  readonly tracker: PinTracker
  readonly outage: Outage
  readonly clock: Clock
}

/** Handlers for the plans that need more than the cluster's own answer. */
interface Handlers {
  readonly serveListing: ServeListing
  readonly changePin: ChangePin
  readonly showOwn: ShowOwn
  readonly awaitTerminal: AwaitTerminal
  readonly outage: Outage
  readonly holders: Holders
}

/** The request to the cluster, or the answer; or the handler has already answered. */
export type Handled = UpstreamCall | StreamedAnswer | 'answered'

/** Registers the route table. */
export async function forward(app: FastifyInstance, parts: Forwarding): Promise<void> {
  const { cluster, userAgent, holdings, ownPins, outage } = parts
  const handlers: Handlers = {
    serveListing: createServeListing(parts),
    changePin: createChangePin(parts),
    showOwn: createShowOwn(holdings, ownPins),
    awaitTerminal: createAwaitTerminal(parts),
    outage,
    holders: parts,
  }
  const headersOf = ({ id, trace }: Authorized) => ({
    accept: 'application/json',
    'user-agent': userAgent,
    'x-request-id': id,
    traceparent: trace.traceparent,
  })
  const fail = (reply: FastifyReply, error: Error): void => {
    outage
      .fail(authorized(reply.request), answeringBy(reply), error)
      ?.catch((bug: unknown) => reply.send(bug))
  }
  const proxy = viaHttpProxy({ cluster, headersOf, onFault: fail })

  const finish = (request: Authorized, reply: FastifyReply, handled: Handled): void => {
    // The client has left: no answer can be sent.
    if (request.isClosed) reply.hijack()
    else if (handled === 'answered') return
    else if ('body' in handled) streamAnswer(reply, handled)
    else proxy.send(request, reply, handled)
  }
  const handle = ({ raw }: FastifyRequest, reply: FastifyReply): void => {
    const request = authorized({ raw })
    if (request.isClosed) {
      reply.hijack()
      return
    }
    const handled = handlerOf(handlers, request, raw.headers, headersOf, answeringBy(reply))
    if (!(handled instanceof Promise)) finish(request, reply, handled)
    else
      handled.then(
        (later) => {
          finish(request, reply, later)
        },
        (error: unknown) => {
          if (request.isClosed) reply.hijack()
          else reply.send(error)
        },
      )
  }
  for (const route of routes) await proxy.register(app, route, handle)
}

function handlerOf(
  { holders, outage, serveListing, changePin, showOwn, awaitTerminal }: Handlers,
  request: Authorized,
  accepted: Accepted,
  headersOf: (request: Authorized) => RequestHeaders,
  answering: Answering,
): Handled | Promise<Handled> {
  const { plan } = request
  switch (plan.kind) {
    case 'relay':
      return unlessQueued(outage, request, answering, plan.call)
    case 'pinStatus': {
      const { call, waitMs } = plan
      const ask = () => unlessQueued(outage, request, answering, call)
      return waitMs === undefined ? ask() : awaitTerminal(request, plan.cid, waitMs).then(ask)
    }
    case 'listing':
      return serveListing(request, plan, accepted, headersOf(request), answering)
    case 'ownPins':
      return showOwn(request, plan, answering).then((call) =>
        call === 'answered' ? call : unlessQueued(outage, request, answering, call),
      )
    case 'pin':
    case 'unpin':
      return changePin(request, plan, headersOf(request), answering)
    case 'path':
      return changeByPath(holders, request, plan, answering) ?? 'answered'
  }
}

/** The queue answers for a pin that waits in it. */
function unlessQueued(
  outage: Outage,
  request: Authorized,
  answering: Answering,
  call: UpstreamCall,
): Handled {
  if (outage.answersStatus(request, answering, call)) return 'answered'
  return outage.withoutQueued(call)
}
