/** Everything beside the pins: there to show what leaks through a gate, and no more than that. */
import { idAnswer } from './answers.js'
import { cidOf } from './cids.js'
import { type Handler, sendError, sendJson, sendNothing } from './cluster.js'
import type { Json } from './json.js'
import { checkPeerId } from './peer-ids.js'
import { sendStream } from './stream.js'

export const id: Handler = ({ cluster, reply }) =>
  sendJson(reply, 200, idAnswer(cluster.peer, cluster.kuboDown))

export const version: Handler = ({ cluster, reply }) =>
  sendJson(reply, 200, { version: cluster.peer.version })

export const peers: Handler = (call) =>
  sendStream(call, [idAnswer(call.cluster.peer, call.cluster.kuboDown)])

export const addPeer: Handler = ({ cluster, reply, request }) => {
  if (!request.body.includes('peer_id')) {
    return sendError(reply, 400, 'error decoding request body')
  }
  return sendJson(reply, 200, idAnswer(cluster.peer, cluster.kuboDown))
}

export const removePeer: Handler = ({ reply, vars: [text = ''] }) => {
  try {
    checkPeerId(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return sendError(reply, 400, `error decoding Peer ID: failed to parse peer ID: ${why}`)
  }
  return sendError(reply, 500, 'crdt consensus does not support removing peers')
}

/** Takes the whole body for the file. */
export const add: Handler = (call) => {
  const { cluster, reply, request } = call
  if (request.headers['content-type']?.startsWith('multipart/') !== true) {
    return sendError(reply, 400, "request Content-Type isn't multipart/form-data")
  }
  const cid = cluster.pins.add(cidOf(request.body))
  const added: Json = { name: '', cid, size: request.body.length, allocations: [cluster.peer.id] }
  return sendStream(call, [added])
}

export const collectGarbage: Handler = ({ cluster, reply }) => {
  const { id: peer, peername } = cluster.peer
  const collected: Json = { peer, peername, keys: [], error: '' }
  return sendJson(reply, 200, { peer_map: new Map([[peer, collected]]) })
}

export const graph: Handler = ({ cluster, reply }) => {
  const { id: peer, kuboId, peername } = cluster.peer
  return sendJson(reply, 200, {
    cluster_id: peer,
    id_to_peername: new Map([[peer, peername]]),
    ipfs_links: new Map([[kuboId, []]]),
    cluster_links: new Map([[peer, []]]),
    cluster_trust_links: new Map([[peer, true]]),
    cluster_to_ipfs: new Map([[peer, kuboId]]),
  })
}

export const alerts: Handler = ({ reply }) => sendJson(reply, 200, [])

export const bandwidth: Handler = ({ reply }) => sendJson(reply, 200, {})

const metrics = ['freespace', 'ping']

export const metricNames: Handler = ({ reply }) => sendJson(reply, 200, metrics)

export const metric: Handler = ({ cluster, reply, vars: [name = ''] }) => {
  const known = { name, peer: cluster.peer.id, value: '1', expire: 0, valid: true, weight: 0 }
  return sendJson(reply, 200, metrics.includes(name) ? [known] : [])
}

export const health: Handler = ({ reply }) => sendNothing(reply, 204)
