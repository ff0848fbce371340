/** The route table: the gate forwards nothing else to the cluster. */
import type { ClusterConfig } from '../settings/schema/schema.js'
import type { Budget, Permission } from '../settings/values/permissions.js'
import {
  idRequest,
  isListing,
  type Parse,
  pinPathRequest,
  pinRequest,
  pinsRequest,
  recoverAllRequest,
  recoverRequest,
  statusRequest,
  unpinPathRequest,
  unpinRequest,
} from './authorize/pin-request.js'

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** In find-my-way's notation; matched on the decoded, normalised path. */
  readonly url: string
  readonly permission: Permission | ((query: ReadonlyMap<string, string>) => Permission)
  readonly parse: Parse
}

/** A few CIDs need less than the whole listing. */
const pinsPermission = (query: ReadonlyMap<string, string>): Permission =>
  isListing(query) ? 'list' : 'status'

export const routes: readonly Route[] = [
  { method: 'GET', url: '/id', permission: 'id', parse: idRequest },
  { method: 'GET', url: '/pins', permission: pinsPermission, parse: pinsRequest },
  { method: 'GET', url: '/pins/:cid', permission: 'status', parse: statusRequest },
  { method: 'POST', url: '/pins/:cid', permission: 'pin', parse: pinRequest },
  { method: 'DELETE', url: '/pins/:cid', permission: 'unpin', parse: unpinRequest },
  { method: 'POST', url: '/pins/:cid/recover', permission: 'recover', parse: recoverRequest },
  { method: 'POST', url: '/pins/recover', permission: 'recover-all', parse: recoverAllRequest },
  // What ipfs-cluster-ctl sends for `pin add` and `pin rm`.
  { method: 'POST', url: '/pins/ipfs/:cid', permission: 'pin', parse: pinRequest },
  { method: 'DELETE', url: '/pins/ipfs/:cid', permission: 'unpin', parse: unpinRequest },
  { method: 'POST', url: '/pins/ipfs/:cid/*', permission: 'resolve', parse: pinPathRequest },
  { method: 'DELETE', url: '/pins/ipfs/:cid/*', permission: 'resolve', parse: unpinPathRequest },
  { method: 'POST', url: '/pins/ipns/*', permission: 'resolve', parse: pinPathRequest },
  { method: 'DELETE', url: '/pins/ipns/*', permission: 'resolve', parse: unpinPathRequest },
  { method: 'POST', url: '/pins/ipld/*', permission: 'resolve', parse: pinPathRequest },
  { method: 'DELETE', url: '/pins/ipld/*', permission: 'resolve', parse: unpinPathRequest },
]

/** `ipfs-cluster-ctl pin ls` asks for it, and scripts read a bare 404 as "not pinned". */
export const allocations = {
  pattern: /^\/+allocations(?:[/?]|$)/,
  permission: 'status',
  message:
    'the gate does not tell allocations, which says nothing of whether it is pinned: ask for the ' +
    'status (ipfs-cluster-ctl status CID, GET /pins/CID)',
} as const

export interface Operation {
  /** Which of the encoder's budgets it counts against. */
  readonly budget: Budget
  /** The cluster's time limit for the first byte of its answer. */
  readonly timeout: keyof ClusterConfig & `${string}TimeoutMs`
  /**
   * Whether it continues when the client leaves. Writes do: the cluster would cancel them with the
   * connection, in an unknown state, and they take milliseconds.
   */
  readonly outlivesClient: boolean
  /** Whether it makes the cluster go through all pins. */
  readonly isListing: boolean
  /** Whether the cluster answers with one value; others are streams of lines. */
  readonly isWhole: boolean
  /** Whether equal requests in flight share one exchange. */
  readonly isShared: boolean
  /** Whether the answer shows pins, of which soft-deleted ones must look unpinned. */
  readonly showsPins: boolean
}

const whole = {
  ...{ outlivesClient: false, isListing: false, isWhole: true },
  ...{ isShared: false, showsPins: false },
}
const read = { ...whole, budget: 'reads' } as const
const listing: Operation = {
  ...{ ...whole, isListing: true, isWhole: false },
  ...{ budget: 'listings', timeout: 'listTimeoutMs' },
}
const write: Operation = {
  ...{ ...whole, outlivesClient: true },
  ...{ budget: 'writes', timeout: 'writeTimeoutMs' },
}

export const operations: Readonly<Record<Permission, Operation>> = {
  id: { ...read, timeout: 'idTimeoutMs' },
  status: { ...read, timeout: 'statusTimeoutMs', isShared: true, showsPins: true },
  list: listing,
  pin: write,
  unpin: write,
  // Only counts together with unpin.
  'unpin-any': write,
  recover: { ...write, showsPins: true },
  'recover-all': listing,
  resolve: write,
}

/** The methods under which a path is known: the Allow header of a 405. */
export const methodsOf = (url: string): string[] =>
  routes.filter((route) => route.url === url).map((route) => route.method)
