/** Phase 3, may this encoder do this, and is it well asked? 403, 404, 405, 400; deny by default. */
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Encoder } from '../../settings/keyring/encoder.js'
import { optionGrants } from '../../settings/keyring/permissions.js'
import { refuse } from '../answer.js'
import { cidOf, type Plan } from '../plan.js'
import type { RequestRecord } from '../record/record.js'
import { BadRequest } from '../refusals.js'
import { recordOf } from '../request.js'
import type { Route } from '../routes.js'

/** What passes has its plan: what is to be done for it. */
export function authorize(): onRequestHookHandler {
  return (request, reply, done) => {
    const record = recordOf(request)
    if (isPermitted(request, reply, record) && parse(request, reply, record)) done()
  }
}

function isPermitted(request: FastifyRequest, reply: FastifyReply, record: RequestRecord): boolean {
  const { gateRoute, allow } = request.routeOptions.config
  if (record.target === undefined) {
    refuse(reply, record, 'bad-path')
    return false
  }
  if (gateRoute === undefined || record.permission === undefined) {
    if (allow !== undefined) reply.header('allow', allow.join(', '))
    refuse(reply, record, allow === undefined ? 'unknown-route' : 'method-not-allowed')
    return false
  }
  if (record.encoder?.permissions.has(record.permission) !== true) {
    const message = `forbidden: this encoder lacks the permission ${record.permission}`
    refuse(reply, record, 'not-permitted', message)
    return false
  }
  return isBodyFit(request, reply, record)
}

/** Chunked bodies of unknown length are counted as they are read. */
function isBodyFit(request: FastifyRequest, reply: FastifyReply, record: RequestRecord): boolean {
  const { headers, method } = request
  const bytes = Number(headers['content-length'] ?? 0)
  if (method === 'GET' && (bytes > 0 || headers['transfer-encoding'] !== undefined)) {
    refuse(reply, record, 'unexpected-body')
    return false
  }
  if (bytes > record.snapshot.config.listen.bodyBytesMax) {
    refuse(reply, record, 'body-too-large')
    return false
  }
  return true
}

function parse(request: FastifyRequest, reply: FastifyReply, record: RequestRecord): boolean {
  const route = request.routeOptions.config.gateRoute
  const { target, encoder } = record
  if (route === undefined || target === undefined || encoder === undefined) return false
  try {
    if (target.query instanceof BadRequest) throw target.query
    record.plan = readAs(encoder, record, route, target.segments, target.query)
    record.cid = cidOf(record.plan)
    return true
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    refuse(reply, record, error.reason, error.message)
    return false
  }
}

/** An option that is not granted passes where that is not enforced. */
function readAs(
  { options, enforcement }: Encoder,
  record: RequestRecord,
  route: Route,
  segments: readonly string[],
  query: ReadonlyMap<string, string>,
): Plan {
  try {
    return route.parse({ segments, query, granted: options })
  } catch (error) {
    const isOption = error instanceof BadRequest && error.reason === 'option-not-granted'
    if (!isOption || enforcement === 'enforce') throw error
    if (enforcement === 'observe') record.wouldRefuse = error.reason
    return route.parse({ segments, query, granted: everyOption })
  }
}

const everyOption = new Set(optionGrants)
