/** Every refusal and fault of the gate: its reason, status and sentence. */
import type { FaultReason } from '../cluster/faults.js'
import type { LedgerFault } from '../ledger/storage/ledger-storage.js'
import type { LockTimeout } from '../ledger/cid-locks.js'
import type { StoreFaultReason } from '../store/store-fault.js'

export interface Refusal {
  readonly status: number
  /** The client's sentence; it says no more than the client may know. */
  readonly message: string
}

/**
 * Refusals. The reason is stable, for log and metrics. Sentences are the cluster's own where it has
 * one, for clients that compare them.
 */
export const refusals = {
  // Not HTTP as the gate accepts it; answered before authentication.
  'malformed-request': { status: 400, message: 'malformed request' },
  'bad-host': { status: 400, message: 'exactly one Host header is needed' },
  'bad-framing': { status: 400, message: 'unsupported message framing' },
  'bad-version': { status: 505, message: 'only HTTP/1.0 and HTTP/1.1 are supported' },
  'bad-expectation': { status: 417, message: 'unsupported expectation' },
  'connect-refused': { status: 405, message: 'this is not a forward proxy' },
  'request-timeout': { status: 408, message: 'the request did not arrive in time' },
  'url-too-long': { status: 414, message: 'request target too long' },
  'headers-too-large': { status: 431, message: 'request line and headers too large' },
  'too-many-headers': { status: 431, message: 'too many headers' },
  'tls-error': { status: 400, message: 'TLS handshake failed' },
  'too-many-connections': { status: 503, message: 'too many connections' },
  'store-unavailable': { status: 503, message: 'rate limiting is unavailable' },

  // authenticate: all but the first have the same sentence; the log tells them apart.
  'no-credential': { status: 401, message: 'unauthorized: no auth provided' },
  'bad-credential': { status: 401, message: 'unauthorized: access denied' },
  'key-malformed': { status: 401, message: 'unauthorized: access denied' },
  'key-mistyped': { status: 401, message: 'unauthorized: access denied' },
  'key-unknown': { status: 401, message: 'unauthorized: access denied' },
  'key-of-another': { status: 401, message: 'unauthorized: access denied' },
  'key-expired': { status: 401, message: 'unauthorized: access denied' },
  'encoder-disabled': { status: 401, message: 'unauthorized: access denied' },
  'wrong-network': { status: 401, message: 'unauthorized: access denied' },
  'two-credentials': { status: 400, message: 'more than one Authorization header' },

  // limit
  'too-many-failures': { status: 429, message: 'too many failed attempts from this address' },
  'rate-limited': { status: 429, message: 'rate limit exceeded' },
  'too-many-in-flight': { status: 429, message: 'too many requests in flight' },
  'too-many-listings': { status: 429, message: 'too many listings read at once' },
  'listings-busy': { status: 503, message: 'too many listings are being read' },

  // authorize
  'bad-path': { status: 400, message: 'malformed path' },
  'unknown-route': { status: 404, message: 'not found: the gate serves /pins and /id only' },
  'not-owner': { status: 403, message: 'forbidden: this pin is not yours to unpin' },
  'too-many-leases': { status: 403, message: 'quota exceeded: too many pins held' },
  'too-many-unfinished': { status: 429, message: 'quota exceeded: too many unfinished pins' },
  'journal-pending': { status: 503, message: 'a pin of this CID waits for the cluster' },
  'leases-uncounted': { status: 503, message: 'the pins of each encoder are being counted' },
  'too-many-holders': { status: 409, message: 'this pin has no room for another holder' },
  'not-a-plain-pin': { status: 409, message: 'this type of pin cannot be changed here' },
  'method-not-allowed': { status: 405, message: 'method not allowed' },
  'not-permitted': { status: 403, message: 'forbidden: not permitted to this encoder' },
  'option-not-granted': { status: 403, message: 'forbidden: option not granted to this encoder' },
  'bad-query': { status: 400, message: 'malformed query' },
  'bad-cid': { status: 400, message: 'error decoding Cid: invalid cid' },
  'bad-option': { status: 400, message: 'invalid pin option' },
  'options-too-long': {
    status: 400,
    message: 'name, metadata and options are too long: other holders of the pin need room',
  },
  'unexpected-body': { status: 400, message: 'a GET request has no body' },
  'body-too-large': { status: 413, message: 'request body too large' },
  'bad-content-type': { status: 415, message: 'malformed Content-Type' },
} as const satisfies Record<string, Refusal>

export type RefusalReason = keyof typeof refusals

/** Faults behind the gate; each reason begins with the component at fault. */
export type UpstreamFaultReason =
  FaultReason | LockTimeout['reason'] | LedgerFault['reason'] | StoreFaultReason

/** The client's sentence for a fault behind the gate. */
export const faults: Readonly<Record<UpstreamFaultReason, Refusal>> = {
  'cluster-unreachable': { status: 502, message: 'the cluster cannot be reached' },
  'cluster-hung-up': { status: 502, message: 'the cluster closed the connection' },
  'cluster-timeout': { status: 504, message: 'the cluster did not answer in time' },
  'cluster-busy': { status: 503, message: 'too many requests are waiting for the cluster' },
  'cluster-down': { status: 503, message: 'the cluster is down' },
  'cluster-redirect': { status: 502, message: 'unexpected answer from the cluster' },
  'cluster-auth': { status: 502, message: 'unexpected answer from the cluster' },
  'cluster-unavailable': { status: 503, message: 'the cluster is not available' },
  'cluster-error': { status: 500, message: 'the cluster answered with an error' },
  'cluster-bad-answer': { status: 502, message: 'unexpected answer from the cluster' },
  'cluster-cut': { status: 502, message: 'the cluster broke off its answer' },
  'lock-timeout': { status: 504, message: 'another change of this pin did not end in time' },
  'ledger-unavailable': { status: 503, message: 'the ledger cannot be written' },
  'store-timeout': { status: 503, message: 'the shared store did not answer in time' },
  'store-refused': { status: 503, message: 'the shared store answered with an error' },
  'store-hung-up': { status: 503, message: 'the shared store closed the connection' },
}

/** A refusal that a parser throws and authorize answers. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest'

  /** @param message for the client; absent: the reason's own sentence */
  constructor(
    readonly reason: RefusalReason,
    message: string = refusals[reason].message,
  ) {
    super(message)
  }
}
