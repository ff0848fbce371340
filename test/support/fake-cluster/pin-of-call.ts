/** What a call names: a CID with options. A bad CID stops the call, a bad option does not. */
import { type Call, sendError } from './cluster.js'
import { cidOf, decodeCid } from './cids.js'
import { quoted } from './go-quote.js'
import { type PinOptions, parseOptions } from './options.js'
import { refused } from './peer.js'

export interface NamedPin {
  readonly cid: string
  readonly options: PinOptions
  /** −1 is the whole graph. */
  readonly maxDepth: number
}

/** From `/pins/{cid}`, where `mode=direct` is echoed and not obeyed. */
export function pinOrFail(call: Call): NamedPin | undefined {
  const cid = cidOrFail(call)
  return cid === undefined ? undefined : { cid, options: optionsOf(call), maxDepth: -1 }
}

/** From `/pins/ipfs/…`, where a longer path is resolved by Kubo. */
export function pinOfPathOrFail(call: Call): NamedPin | undefined {
  const [type = '', rest = ''] = call.vars
  const path = `/${type}/${rest}`
  const [root = '', ...segments] = rest.split('/')
  let cid = root
  if (type !== 'ipns') {
    try {
      cid = decodeCid(root)
    } catch (error) {
      const why = `error parsing path: invalid path ${quoted(path)}: ${messageOf(error)}`
      sendError(call.reply, 400, why)
      return undefined
    }
  }
  const options = optionsOf(call)
  // A path that is only its root is that, without asking Kubo.
  if (type === 'ipns' || segments.length > 0) {
    if (call.cluster.kuboDown) {
      sendError(call.reply, 500, refused(`resolve?arg=${encodeURIComponent(path)}`))
      return undefined
    }
    cid = cidOf(path)
  }
  return { cid, options, maxDepth: options.mode === 'direct' ? 0 : -1 }
}

function cidOrFail({ vars: [text = ''], reply }: Call): string | undefined {
  try {
    return decodeCid(text)
  } catch (error) {
    sendError(reply, 400, `error decoding Cid: ${messageOf(error)}`)
    return undefined
  }
}

/** The trap: the 400 is written, and the operation continues with what was read. */
function optionsOf({ query, reply }: Call): PinOptions {
  const { options, fault } = parseOptions(query)
  if (fault !== undefined) sendError(reply, 400, fault)
  return options
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
