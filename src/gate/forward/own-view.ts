/** `GET /pins?owner=me`: the caller's own pins, page by page, with the cluster's status of each. */
import { encodeQuery, fittingCids } from '../../cluster/query.js'
import type { Holdings } from '../../ledger/holdings.js'
import type { OwnPins } from '../../ledger/own-pins.js'
import type { Handler } from '../handler.js'
import type { OwnPinsPlan, UpstreamCall } from '../plan.js'

/** Returns the request for one page. */
export type ShowOwn = Handler<OwnPinsPlan, UpstreamCall | 'answered'>

export const createShowOwn =
  (holdings: Pick<Holdings, 'ensure' | 'since'>, ownPins: Pick<OwnPins, 'page'>): ShowOwn =>
  async ({ request, answering }, { after, limit }) => {
    const holder = request.encoder.leaseId
    holdings.ensure()
    if (holdings.since === undefined) {
      answering.header('retry-after', 5)
      answering.refuse('leases-uncounted')
      return 'answered'
    }
    // Fewer CIDs of longer hashes fit a page. One CID more than shown tells whether there is a next
    // page.
    const page = await ownPins.page(holder, after, limit + 1)
    const cids = fittingCids(page.cids.slice(0, limit))
    const last = cids.at(-1)
    answering.header('x-total-count', page.total)
    if (last === undefined) {
      answering.send(204)
      return 'answered'
    }
    if (page.cids.length > cids.length)
      answering.header('link', `</pins?owner=me&limit=${limit}&after=${last}>; rel="next"`)
    return { method: 'GET', path: '/pins', query: encodeQuery([['cids', cids.join(',')]]), cids }
  }
