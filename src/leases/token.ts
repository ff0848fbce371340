/**
 * The version of a lease: `GATE.SEQ`, the gate that wrote it and the number of that write. Equal
 * leases have equal tokens. Times are no version: the cluster keeps whole seconds, and a POST, a
 * DELETE and a POST fit into one.
 */

export interface Token {
  /** The random id of a ledger. */
  readonly gateId: string
  /** Increases within one ledger, which never issues a number twice. */
  readonly seq: number
}

export const tokenText = ({ gateId, seq }: Token): string => `${gateId}.${seq}`

const form = /^([0-9a-z]{8})\.([0-9]{1,15})$/

/** @returns undefined when the text is no token: another hand wrote it, or an older release */
export function readToken(text: string): Token | undefined {
  const [, gateId, seq] = form.exec(text) ?? []
  return gateId === undefined || seq === undefined ? undefined : { gateId, seq: Number(seq) }
}
