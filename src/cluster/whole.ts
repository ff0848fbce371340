/** A whole answer of one JSON value, checked before a client gets it. */
import { isAscii } from 'node:buffer'
import { canonicalCid } from './cid.js'
import { ClusterFault } from './faults.js'
import { badAnswer, readObject } from './json.js'

/** Needs one write, where a stream needs a dozen objects. */
export class Whole {
  private decoded: string | undefined

  constructor(readonly bytes: Buffer) {}

  /** Each byte as a character. */
  get latin1(): string {
    return (this.decoded ??= this.bytes.toString('latin1'))
  }

  /** Reuses the same string where possible: a pin's answer is both sent and kept. */
  get text(): string {
    return isAscii(this.bytes) ? this.latin1 : this.bytes.toString()
  }
}

/** On a pipelined connection the answers behind it belong to other requests, too. */
export const aboutAnother = badAnswer('an answer about another CID')

/**
 * What is wrong with the contents of an answer; undefined: nothing. An error of the cluster's
 * handlers is taken as it is.
 *
 * @param path of the request: if it names a CID, the answer has to be about that one
 */
export function faultOfWhole(path: string, status: number, whole: Whole): ClusterFault | undefined {
  if (status === 204) return badAnswer('nothing, where one value was asked for')
  if (status !== 200 && status !== 404) return undefined
  try {
    // A 404 in another form is not the cluster's, and does not say that the pin is not there.
    const { cid } = readObject(whole.text)
    const asked = cidIn(path)
    if (status === 404 || asked === undefined || isSameCid(cid, asked)) return undefined
    return aboutAnother
  } catch (error) {
    if (error instanceof ClusterFault) return error
    throw error
  }
}

/** Two spellings of one CID are the same; CIDv0 and CIDv1 of one hash are two pins. */
const isSameCid = (given: unknown, canonical: string): boolean =>
  given === canonical || (typeof given === 'string' && canonicalCid(given) === canonical)

const aboutOne = /^\/(?:allocations|pins|pins\/ipfs)\/((?:Qm|b)[A-Za-z0-9]+)(?:\/recover)?(?:\?|$)/

/** The CID in a request's path, where CIDs have their canonical spelling. */
export const cidIn = (path: string): string | undefined => aboutOne.exec(path)?.[1]
