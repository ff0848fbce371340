/** A pin that was accepted with 202 while the cluster was down. */
import type { Parameter } from '../cluster/query.js'

/** The queued request. */
export interface QueueRequest {
  readonly cid: string
  /** The leaseId of the encoder: a name can be given to another. */
  readonly holder: string
  /** SHA-256 of the key, which must still be valid when the pin is written. */
  readonly keyDigest: string
  /** The name at the time of the request; {@link namedEntry} has that of now. */
  readonly encoder: string
  readonly keyId: string
  /** As they go to the cluster, without the expiry. */
  readonly options: readonly Parameter[]
  /** Requested expiry, in milliseconds since the epoch; Infinity: none. */
  readonly untilMs: number
  /**
   * Until when the encoder holds the pin without this entry, in milliseconds since the epoch; from
   * then on the entry takes a place in its quota. Undefined: it does not hold the pin.
   */
  readonly heldUntilMs?: number | undefined
  /** The options of a pin that others held at the time of the request: they stay as they are. */
  readonly frozen?: readonly Parameter[] | undefined
  /** Id of the request, for the log. */
  readonly requestId: string
}

export interface QueueEntry extends QueueRequest {
  /** In the order of tokens; the resulting lease has this number. */
  readonly seq: number
  /** When it was accepted, in milliseconds since the epoch. */
  readonly atMs: number
  /** Why the entry was rejected; undefined: it waits. */
  readonly rejection?: string | undefined
}

/** For display, and for a choice by name: the encoder has the name that its leaseId has now. */
export interface NamedEntry extends QueueEntry {
  /** No encoder has the leaseId now: the name is that of the request. */
  readonly isRemoved: boolean
}

/** @param nameOf the name of a leaseId in the settings */
export function namedEntry(
  entry: QueueEntry,
  nameOf: (leaseId: string) => string | undefined,
): NamedEntry {
  const name = nameOf(entry.holder)
  return { ...entry, encoder: name ?? entry.encoder, isRemoved: name === undefined }
}
