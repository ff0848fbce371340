/** A pin while it is changed: what it is, what it is to become, and the end of the turn. */
import type { Answer } from '../cluster/answer-handler.js'
import type { NewRecord, PinRecord } from './pin-record.js'
import type { Release } from './turns.js'

/** What was sent, and what came of it. */
export type Settle = (method: Method, error: Error | null, answer: Answer | undefined) => void

export type Method = 'GET' | 'POST' | 'DELETE'
/** What a pin is to become; undefined: it stays as it is. */
export type Wanted = NewRecord | 'unpin' | undefined

/** A record, made when it is asked for; undefined: there is none. */
export type RecordOf = () => PinRecord | undefined

/** A pin that nobody else changes until it is released. */
export interface OpenPin {
  /** Undefined: it is not in the pinset. */
  readonly record: PinRecord | undefined
  /** We wrote it, and yet it is not there: swept away, or not to be seen yet. */
  readonly isMissing: boolean
  /** The same as the cluster says it, which may lag behind. */
  readonly read: PinRecord | undefined
  /** What another gate wrote last, if it did so lately. */
  readonly elsewhere: PinRecord | undefined
  /** What came of the change, or that its answer was lost; ends the turn. */
  readonly settle: Settle
  /** Nothing was changed; ends the turn. */
  readonly release: Release
}

/** A change that throws leaves the pin to others. */
export async function tried<T>(pin: OpenPin, change: (pin: OpenPin) => T): Promise<Awaited<T>> {
  try {
    return await change(pin)
  } catch (error) {
    pin.release()
    throw error
  }
}
