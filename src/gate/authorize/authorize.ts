/** Phase 3, authorize: checks permission and parameters; 403, 404, 405, 400; denies by default. */
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { optionGrants, type Permission } from '../../settings/values/permissions.js'
import { refuse } from '../answer.js'
import { cidOf, type Plan } from '../plan.js'
import type { Target } from '../target.js'
import type { RequestRecord } from '../record/record.js'
import { BadRequest } from '../refusals.js'
import { type Authenticated, authenticated } from '../request.js'
import { allocations, type Route } from '../routes.js'

/** A request that passes gets its plan. */
export function authorize(): onRequestHookHandler {
  return (request, reply, done) => {
    const record = authenticated(request)
    const permitted = permit(request, reply, record)
    if (permitted !== undefined && parse(reply, record, permitted)) done()
  }
}

/** How the target of a permitted request is parsed. */
interface Permitted {
  readonly route: Route
  readonly target: Target
}

/** @returns undefined: the gate has refused the request */
function permit(
  request: FastifyRequest,
  reply: FastifyReply,
  record: Authenticated,
): Permitted | undefined {
  const { gateRoute: route, allow } = request.routeOptions.config
  const { target, permission, encoder } = record
  if (target === undefined) {
    refuse(reply, record, 'bad-path')
    return undefined
  }
  if (route === undefined || permission === undefined) {
    if (allow !== undefined) reply.header('allow', allow.join(', '))
    refuseUnknown(request, reply, record)
    return undefined
  }
  if (!encoder.permissions.has(permission)) {
    refuseLacking(reply, record, permission)
    return undefined
  }
  return isBodyFit(request, reply, record) ? { route, target } : undefined
}

function refuseUnknown(request: FastifyRequest, reply: FastifyReply, record: Authenticated): void {
  if (request.routeOptions.config.allow !== undefined) {
    refuse(reply, record, 'method-not-allowed')
    return
  }
  const { pattern, permission, message } = allocations
  if (!pattern.test(request.url)) refuse(reply, record, 'unknown-route')
  else if (!record.encoder.permissions.has(permission)) refuseLacking(reply, record, permission)
  else refuse(reply, record, 'unknown-route', message)
}

function refuseLacking(reply: FastifyReply, record: Authenticated, permission: Permission): void {
  const message = `forbidden: this encoder lacks the permission ${permission}`
  refuse(reply, record, 'not-permitted', message)
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

function parse(reply: FastifyReply, record: Authenticated, { route, target }: Permitted): boolean {
  try {
    if (target.query instanceof BadRequest) throw target.query
    record.plan = readAs(record, route, target.segments, target.query)
    record.cid = cidOf(record.plan)
    return true
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    refuse(reply, record, error.reason, error.message)
    return false
  }
}

/** An option that is not granted passes where enforcement is off or observes. */
function readAs(
  record: Authenticated,
  route: Route,
  segments: readonly string[],
  query: ReadonlyMap<string, string>,
): Plan {
  const { options, enforcement } = record.encoder
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
