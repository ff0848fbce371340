/** Advice for each answer of the gate, by its sentence. */
import {
  faults,
  refusals,
  type RefusalReason,
  type UpstreamFaultReason,
} from '../../gate/refusals.js'

const clusterAway =
  'the cluster behind the gate is down or restarting: the operator can check with pinwarden ' +
  'status whether ipfs-cluster runs. Try again later'
const strangeCluster =
  'ask the operator to check the log: what is behind the gate does not answer like a cluster'
const storeAway =
  'the store that several gates share is down, which only the operator can fix. Try again later'
const retry = 'try again in a moment'

/** Leaves out reasons for which the status says enough, or that no encoder causes. */
const advice: Partial<Record<RefusalReason | UpstreamFaultReason, string>> = {
  'not-owner':
    'another encoder holds this pin, and only a holder may unpin it. The operator can see who ' +
    'with pinwarden pins show CID, or grant the permission `unpin-any`',
  'too-many-leases':
    'this encoder holds as many pins as its quota allows: unpin some, or ask the operator to ' +
    'raise `limits.leases`',
  'too-many-unfinished':
    'the cluster is still working on as many pins of this encoder as `limits.unfinished` allows: ' +
    'wait until some are pinned',
  'option-not-granted':
    'ask the operator to grant the option to this encoder in `options`, or do without it',
  'too-many-in-flight':
    'this encoder has as many requests in flight as `limits.inFlight` allows: wait for some to end',
  'too-many-listings':
    'this encoder reads as many listings as `listing.perEncoderMax` allows: wait for one to end',
  'listings-busy': 'others are reading as many listings as the gate allows: try again in a minute',
  'journal-pending':
    'a pin of this CID was accepted while the cluster was down, and is replayed when it is back',
  'leases-uncounted': 'the gate has just started and counts what each encoder holds: ' + retry,
  'too-many-holders':
    'this pin has the largest possible number of holders, so it is safe without another',
  'not-a-plain-pin': "only the cluster's own tools can change a pin of this type, such as a shard",
  'too-many-connections': 'the gate has as many connections as it allows: try again in a minute',
  'store-unavailable': storeAway,
  'store-timeout': storeAway,
  'store-refused': storeAway,
  'store-hung-up': storeAway,
  'lock-timeout': 'another change of the same pin is slow: ' + retry,
  'ledger-unavailable':
    'the gate cannot write to its disk, so it accepts nothing: the operator has to free space',
  'cluster-unreachable': clusterAway,
  'cluster-hung-up': clusterAway,
  'cluster-down': clusterAway,
  'cluster-unavailable': clusterAway,
  'cluster-timeout':
    'the cluster is overloaded or hangs, which only the operator can fix. A pin or unpin may ' +
    'still take effect later: ask for its status',
  'cluster-busy':
    'the cluster is slow, and too many requests are waiting for it: try again in a minute',
  'cluster-cut': 'the cluster broke off its answer: ' + retry,
  'cluster-redirect': strangeCluster,
  'cluster-auth':
    'the cluster requires a credential that the gate does not have: the operator has to set ' +
    'username and passwordFile in `cluster.endpoints`',
  'cluster-bad-answer': strangeCluster,
}

const sentences: Readonly<Record<string, { readonly message: string }>> = { ...refusals, ...faults }

/** The first of several reasons that share a sentence. */
const bySentence = new Map(
  Object.entries(advice)
    .reverse()
    .map(([reason, help]) => [sentences[reason]?.message ?? '', help]),
)

/**
 * @param message a sentence, perhaps with a colon and details
 * @returns undefined: there is only the status to go by
 */
export const adviceFor = (message: string): string | undefined =>
  bySentence.get(message) ?? bySentence.get(message.slice(0, message.lastIndexOf(': ')))
