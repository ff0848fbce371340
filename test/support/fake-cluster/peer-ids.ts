/** Reads peer IDs: a base58 multihash, or a CID. */
import { base58btc } from 'multiformats/bases/base58'
import { cidBytes } from './cids.js'

/** @throws Error with the text of go-cid */
export function checkPeerId(text: string): void {
  if (/^(?:Qm|1)/.test(text)) base58btc.baseDecode(text)
  else cidBytes(text)
}

export function isPeerId(text: string): boolean {
  try {
    checkPeerId(text)
    return true
  } catch {
    return false
  }
}
