/** What an authorized request becomes: one case for each way to its answer. */
import type { Answer } from '../cluster/answer-handler.js'
import type { PinOptions } from './authorize/pin-options.js'

export type Plan =
  /** The cluster's own answer is passed on. */
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
  /** How long the answer may wait for a terminal state; undefined: it does not wait. */
  readonly waitMs: number | undefined
}

export interface ListingPlan {
  readonly kind: 'listing'
  /** Without `?`. */
  readonly query: string
  /** The whole state, or only operations, which the cluster has in memory. */
  readonly scope: 'whole' | 'operations'
  /** Whether it has pins that are queued. */
  readonly hasQueued: boolean
}

/** One page of what the caller holds; which CIDs these are is known later. */
export interface OwnPinsPlan {
  readonly kind: 'ownPins'
  /** What the page before ended with. */
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

/** A pin that is known only once Kubo has resolved its path. */
export interface PathPlan extends PinOptions {
  readonly kind: 'path'
  readonly method: 'POST' | 'DELETE'
  readonly path: string
}

/** The canonical request to the cluster; it has no body, whatever the client sent. */
export interface UpstreamCall {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** Without `?`; empty when there are no parameters. */
  readonly query: string
  /** Canonical; absent when the request is not about exactly one. */
  readonly cid?: string
  /** Canonical; each line of the answer is about one of these. */
  readonly cids?: readonly string[]
  /** The gate's own, behind those of the answer. */
  readonly lines?: readonly string[]
  /** What is left of its time; that of its permission where absent. */
  readonly timeoutMs?: number
  readonly onAnswer?: OnAnswer
}

/**
 * What came of a call, or that its answer was lost.
 *
 * @returns resolves when the client may be answered; rejects with a fault that it is told instead
 */
export type OnAnswer = (error: Error | null, answer: Answer) => Promise<void> | undefined

/** The CID that a request is about; undefined: it is about none, or several. */
export function cidOf(plan: Plan): string | undefined {
  if ('cid' in plan) return plan.cid
  return 'call' in plan ? plan.call.cid : undefined
}
