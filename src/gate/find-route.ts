/** Between authenticate and limit: finds the route, its permission and its budget. */
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { BadRequest } from './refusals.js'
import type { RequestRecord } from './record/record.js'
import { recordOf } from './request.js'
import { operations, type Route } from './routes.js'

export function findRoute(): onRequestHookHandler {
  return (request, _reply, done) => {
    const record = recordOf(request)
    const route = request.routeOptions.config.gateRoute
    if (route !== undefined) {
      record.route = route.url
      record.permission = permissionOf(route, record)
    }
    record.budget = budgetOf(request, record)
    done()
  }
}

function permissionOf({ permission }: Route, { target }: RequestRecord) {
  if (typeof permission !== 'function') return permission
  const query = target?.query
  // A malformed query is refused later, and counts as if it were absent.
  return permission(query === undefined || query instanceof BadRequest ? new Map() : query)
}

/** Unknown routes count too, against the same budgets. */
function budgetOf({ method }: FastifyRequest, { permission }: RequestRecord) {
  if (permission !== undefined) return operations[permission].budget
  return method === 'GET' || method === 'HEAD' ? 'reads' : 'writes'
}
