/** Advice for each answer of the gate, by its sentence. */
import {
  faults,
  refusals,
  type RefusalReason,
  type UpstreamFaultReason,
} from '../../gate/refusals.js'

const clusterAway =
  'the cluster behind the gate is down or restarts: the operator looks with pinwarden status ' +
  'whether ipfs-cluster runs. Try again later'
const strangeCluster =
  'the operator looks into the log: what stands behind the gate answers otherwise than a cluster'
const storeAway =
  "the store that several gates share is down, which is the operator's business. Try again later"
const anew = 'try again in a moment'

/** Those whose status says enough, or that no encoder sends, are left to {@link helpFor}. */
const advice: Partial<Record<RefusalReason | UpstreamFaultReason, string>> = {
  'not-owner':
    'another encoder holds this pin, and only a holder may unpin it. The operator sees who with ' +
    'pinwarden pins show CID; the permission `unpin-any` would allow it',
  'too-many-leases':
    'this encoder holds as many pins as its quota allows: unpin some, or the operator raises ' +
    '`limits.leases`',
  'too-many-unfinished':
    'the cluster is still at as many pins of this encoder as `limits.unfinished` allows: wait ' +
    'until some are pinned',
  'option-not-granted':
    'the operator grants the option to this encoder in `options`, or the encoder goes without it',
  'too-many-in-flight':
    'this encoder has as many requests under way as `limits.inFlight` allows: wait for some to end',
  'too-many-listings':
    'this encoder reads as many listings as `listing.perEncoderMax` allows: wait for one to end',
  'listings-busy': 'others read as many listings as the gate allows: try again in a minute',
  'journal-pending':
    'a pin of this CID was accepted while the cluster was down, and is made when it is back',
  'leases-uncounted': 'the gate has just started and counts what each encoder holds: ' + anew,
  'too-many-holders':
    'as many encoders hold this pin as one pin can have: it is safe without this one',
  'not-a-plain-pin':
    "this pin is of a type that only the cluster's own tools change, such as a shard",
  'too-many-connections': 'the gate has as many connections as it allows: try again in a minute',
  'store-unavailable': storeAway,
  'store-timeout': storeAway,
  'store-refused': storeAway,
  'store-hung-up': storeAway,
  'lock-timeout': 'another change of the same pin takes long: ' + anew,
  'ledger-unavailable':
    "the gate's disk takes nothing, so it promises nothing: the operator makes room on it",
  'cluster-unreachable': clusterAway,
  'cluster-hung-up': clusterAway,
  'cluster-down': clusterAway,
  'cluster-unavailable': clusterAway,
  'cluster-timeout':
    "the cluster is overloaded or hangs, which is the operator's business. A pin or unpin may " +
    'come later all the same: ask for its status',
  'cluster-busy': 'the cluster is slow, and too many requests wait for it: try again in a minute',
  'cluster-cut': 'the cluster broke off its answer: ' + anew,
  'cluster-redirect': strangeCluster,
  'cluster-auth':
    'the cluster wants a credential that the gate does not have: the operator sets username and ' +
    'passwordFile in `cluster.endpoints`',
  'cluster-bad-answer': strangeCluster,
}

const sentences: Readonly<Record<string, { readonly message: string }>> = { ...refusals, ...faults }

/** The first of several reasons that share a sentence. */
const bySentence = new Map(
  Object.entries(advice)
    .reverse()
    .map(([reason, help]) => [sentences[reason]?.message ?? '', help]),
)

/** @returns undefined: the status alone has to say it */
export const adviceFor = (message: string): string | undefined => bySentence.get(message)
