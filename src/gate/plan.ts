/** Plans of authorized requests: one case for each handler. */
import type { BeforeCallback } from '../cluster/cluster-client.js'
import type { PinOptions } from './authorize/pin-options.js'

export type Plan =
  /** Passes the cluster's own answer on. */
  | { readonly kind: 'relay'; readonly call: UpstreamCall }
  | PinStatusPlan
  | ListingPlan
  | OwnPinsPlan
  | PinPlan
  | UnpinPlan
  | PathPlan

export interface PinStatusPlan {
  readonly kind: 'pinStatus'
  readonly cid: string
  readonly call: UpstreamCall
  /** How long the request waits for a terminal state; undefined: not at all. */
  readonly waitMs: number | undefined
}

export interface ListingPlan {
  readonly kind: 'listing'
  /** Without `?`. */
  readonly query: string
  /** The whole state, or only operations, which the cluster keeps in memory. */
  readonly scope: 'whole' | 'operations'
  /** Whether the listing includes queued pins. */
  readonly hasQueued: boolean
}

/** One page of the caller's pins; the handler finds the CIDs. */
export interface OwnPinsPlan {
  readonly kind: 'ownPins'
  /** Last CID of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

export interface PinPlan extends PinOptions {
  readonly kind: 'pin'
  readonly cid: string
}

export interface UnpinPlan {
  readonly kind: 'unpin'
  readonly cid: string
}

/** A pin whose CID is known only after Kubo has resolved its path. */
export interface PathPlan extends PinOptions {
  readonly kind: 'path'
  readonly method: 'POST' | 'DELETE'
  readonly path: string
}

/** The canonical request to the cluster, always without a body. */
export interface UpstreamCall {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** Without `?`; empty when there are no parameters. */
  readonly query: string
  /** Canonical; absent when the request is not about exactly one. */
  readonly cid?: string
  /** Canonical; each line of the answer is about one of these. */
  readonly cids?: readonly string[]
  /** Lines of the gate, after those of the answer. */
  readonly lines?: readonly string[]
  /** Remaining time; absent: the time limit of its permission. */
  readonly timeoutMs?: number
  readonly onAnswer?: OnAnswer
}

/**
 * Called with the outcome of the request, or with the loss of its answer.
 * @returns resolves when the client may get its answer, with another one if there is one; rejects
 *   with a fault that replaces it
 */
export type OnAnswer = BeforeCallback

/** The CID that a request is about; undefined: it is about none, or several. */
export function cidOf(plan: Plan): string | undefined {
  if ('cid' in plan) return plan.cid
  return 'call' in plan ? plan.call.cid : undefined
}
