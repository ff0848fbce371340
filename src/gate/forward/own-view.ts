/** `GET /pins?owner=me`: the caller's own pins, page by page, with the cluster's status of each. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { encodeQuery, fittingCids } from '../../cluster/query.js'
import type { Holdings } from '../../leases/holdings.js'
import { refuse } from '../answer.js'
import type { OwnPage } from '../authorize/pin-request.js'
import { recordOf } from '../request.js'

/** Puts the question for one page into `request.upstream`; then sends it, unless it is empty. */
export type ShowOwn = (
  request: FastifyRequest,
  reply: FastifyReply,
  page: OwnPage,
  send: () => void,
) => void

export const createShowOwn =
  (holdings: Holdings): ShowOwn =>
  (request, reply, { after, limit }, send) => {
    const record = recordOf(request)
    const holder = record.encoder?.leaseId ?? ''
    holdings.ensure()
    if (holdings.since === undefined) {
      reply.header('retry-after', 5)
      refuse(reply, record, 'leases-uncounted')
      return
    }
    // CIDs of longer hashes are fewer to a page.
    const cids = fittingCids(holdings.page(holder, after, limit))
    const last = cids.at(-1)
    reply.header('x-total-count', holdings.size(holder))
    if (last === undefined) {
      reply.code(204).header('content-type', 'application/json').send()
      return
    }
    if (holdings.page(holder, last, 1).length > 0)
      reply.header('link', `</pins?owner=me&limit=${limit}&after=${last}>; rel="next"`)
    request.upstream = { path: '/pins', query: queryOf(cids) }
    send()
  }

const queryOf = (cids: readonly string[]): string => encodeQuery([['cids', cids.join(',')]])
