/** Mail among gates that share a store. */

/** One round trip to the store: sends this gate's messages, and receives those of all others. */
export interface GateMail {
  /**
   * @param mails by the gate that each is for
   * @returns undefined: the store cannot be asked now
   */
  exchange(state: string, mails: ReadonlyMap<string, string>): Promise<Exchanged | undefined>
  /** Gates that are gone for good. */
  drop(gateIds: readonly string[]): Promise<void>
}

export interface Exchanged {
  /** Another one after the store lost what it held. */
  readonly generation: string
  /** By gate; this one's among them. */
  readonly states: ReadonlyMap<string, string>
  /** By the gate that each is from. */
  readonly mails: ReadonlyMap<string, string>
}
