/** Phase 4, forward: a handler for each plan names the request to the cluster. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestHeaders } from '../../http/headers.js'
import type { ClusterClient } from '../../cluster/cluster-client.js'
import type { Holdings } from '../../ledger/holdings.js'
import type { OwnPins } from '../../ledger/own-pins.js'
import type { Listings } from '../../listings/listings.js'
import type { Clock } from '../../time/clock.js'
import type { PinTracker } from '../../tracking/tracker.js'
import type { Handled, Handling } from '../handler.js'
import { answeringBy } from '../answering.js'
import type { Outage } from '../outage/outage.js'
import type { UpstreamCall } from '../plan.js'
import { type Authorized, authorized } from '../request.js'
import { routes } from '../routes.js'
import { viaHttpProxy } from '../via-http-proxy.js'
import { createAwaitTerminal } from './await-terminal.js'
import { createServeListing } from './listing.js'
import { changeByPath, createChangePin, type Holders } from './change-pin.js'
import { createShowOwn } from './own-view.js'
import { streamAnswer } from './stream-answer.js'

export interface Forwarding extends Holders {
  readonly cluster: ClusterClient
  /** Sent in each request to the cluster. */
  readonly headers: RequestHeaders
  readonly listings: Pick<Listings, 'find'>
  readonly holdings: Holdings
  readonly ownPins: OwnPins
  readonly tracker: PinTracker
  readonly outage: Outage
  readonly clock: Clock
}

/** Registers the route table. */
export async function forward(app: FastifyInstance, parts: Forwarding): Promise<void> {
  const { cluster, headers, outage } = parts
  const carryOut = handlerOf(parts)
  const headersOf = ({ id, trace }: Authorized) => ({
    ...headers,
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
    const handled = carryOut({
      request,
      headers: headersOf(request),
      accepted: raw.headers,
      answering: answeringBy(reply),
    })
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

/** Carries out each plan by its handler; the queue answers for a pin that waits in it. */
function handlerOf(parts: Forwarding): (handling: Handling) => Handled | Promise<Handled> {
  const { holdings, ownPins, outage } = parts
  const serveListing = createServeListing(parts)
  const changePin = createChangePin(parts)
  const showOwn = createShowOwn(holdings, ownPins)
  const awaitTerminal = createAwaitTerminal(parts)
  const unlessQueued = ({ request, answering }: Handling, call: UpstreamCall): Handled =>
    outage.answersStatus(request, answering, call) ? 'answered' : outage.withoutQueued(call)

  return (handling) => {
    const { request } = handling
    const { plan } = request
    switch (plan.kind) {
      case 'relay':
        return unlessQueued(handling, plan.call)
      case 'pinStatus': {
        const { cid, call, waitMs } = plan
        const ask = () => unlessQueued(handling, call)
        return waitMs === undefined ? ask() : awaitTerminal(request, cid, waitMs).then(ask)
      }
      case 'listing':
        return serveListing(handling, plan)
      case 'ownPins':
        return showOwn(handling, plan).then((call) =>
          call === 'answered' ? call : unlessQueued(handling, call),
        )
      case 'pin':
      case 'unpin':
        return changePin(handling, plan)
      case 'path':
        return changeByPath(parts, handling, plan)
    }
  }
}
