/** Faults of the shared store: their reasons, and how they follow from its client's errors. */

export type StoreFaultReason =
  /** No answer within `store.timeoutMs`. */
  | 'store-timeout'
  /**
   * The store answered with an error: its memory is full, it is read-only, or it refuses the
   * password.
   */
  | 'store-refused'
  /** The connection ended before the answer. */
  | 'store-hung-up'

/** A call to the store that failed, or was not made because the store is down. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault'

  constructor(
    readonly reason: StoreFaultReason | 'store-unavailable',
    cause?: unknown,
  ) {
    super(reason, { cause })
  }
}

/** Names an error of the store's client. */
export function storeFaultReasonOf(error: unknown): StoreFaultReason {
  if (error instanceof StoreFault && error.reason !== 'store-unavailable') return error.reason
  return error instanceof Error && error.name === 'ReplyError' ? 'store-refused' : 'store-hung-up'
}

/** Never the error itself: it contains the command with its arguments, for AUTH the password. */
export function storeErrorCode(error: unknown): string {
  const { code, message = '' } = error as { code?: unknown; message?: string }
  return typeof code === 'string'
    ? code
    : (/^[A-Z]{2,}\b/.exec(message)?.[0] ?? 'no answer in time')
}
