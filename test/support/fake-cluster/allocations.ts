/** `/allocations`: everybody's pins, straight from the state. */
import { pinAnswer } from './answers.js'
import { type Call, type Handler, sendError, sendJson } from './cluster.js'
import type { Json } from './json.js'
import { pinOrFail } from './pin-of-call.js'
import { sendStream } from './stream.js'

const pinTypes = ['pin', 'meta-pin', 'clusterdag-pin', 'shard-pin']

export const allocations: Handler = (call) => {
  const wanted = call.query.get('filter').split(',')
  const all = wanted.includes('all') || wanted.join('') === ''
  if (!all && !wanted.some((type) => pinTypes.includes(type))) {
    return sendError(call.reply, 400, 'invalid filter value')
  }
  return sendStream(call, lines(call, all ? pinTypes : wanted))
}

export const allocation: Handler = ({ cluster, reply, ...call }) => {
  const pin = pinOrFail({ cluster, reply, ...call })
  if (pin === undefined) return undefined
  const stored = cluster.pins.get(pin.cid)
  if (stored === undefined) return sendError(reply, 404, 'pin is not part of the pinset')
  return sendJson(reply, 200, pinAnswer(stored))
}

function* lines({ cluster }: Call, types: readonly string[]): Generator<Json> {
  for (const pin of cluster.pins.values()) if (types.includes(pin.type)) yield pinAnswer(pin)
}
