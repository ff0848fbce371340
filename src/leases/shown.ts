/** What encoders see of pins: no leases, and a pin that is kept for a grace as unpinned. */
import { ClusterFault } from '../cluster/faults.js'
import { badAnswer, isObject, readObject } from '../cluster/json.js'
import { readPinStatus } from '../cluster/status-answer.js'
import { formerPrefix, leasePrefix, reservedPrefix } from './lease.js'

const newline = 10
const openBrace = '{'.charCodeAt(0)
const closeBrace = '}'.charCodeAt(0)

const reserved = Buffer.from(`"${reservedPrefix}`)
const former = Buffer.from(`"${formerPrefix}`)
const lease = Buffer.from(`"${leasePrefix}`)

/** No line of the cluster's is as long. */
const lineBytesMax = 1024 * 1024

/** Whether a status of the cluster's, as it stands in its JSON, is of a pin kept for a grace. */
const isSoftDeleted = (line: Buffer): boolean => line.includes(former) && !line.includes(lease)

/** Of a pin's record, as POST and DELETE answer it. */
export const shownRecord = (line: Buffer): Buffer => withoutLeases(line)

/**
 * Of a pin's status.
 *
 * @throws ClusterFault when it is not a record
 */
export const shownStatus = (line: Buffer): Buffer =>
  isSoftDeleted(line) ? asUnpinned(line) : withoutLeases(line)

/** Whole lines of a listing, which leaves pins out that are kept for a grace. */
export function shownListing(lines: Buffer): Buffer {
  for (let from = 0; from < lines.length;) {
    const end = lines.indexOf(newline, from)
    if (lines[from] !== openBrace || lines[end - 1] !== closeBrace)
      throw badAnswer('a line that is no JSON object')
    from = end + 1
  }
  if (!lines.includes(reserved)) return lines
  const kept = lines.includes(former)
    ? eachLine(lines, (line) => isSoftDeleted(line) || line)
    : lines
  return withoutLeases(kept)
}

/**
 * Whole lines of an answer about some pins.
 *
 * @param cids that were asked for, in their canonical spelling; undefined: it is not known which
 */
export const shownStatuses =
  (cids: ReadonlySet<string> | undefined): ShowLines =>
  (lines) =>
    eachLine(lines, (line) => {
      const { cid } = readPinStatus(line.toString())
      if (cids?.has(cid) === false) throw badAnswer('a line about another CID')
      return shownStatus(line)
    })

/** @param show what stands in the place of a line; true: nothing */
function eachLine(lines: Buffer, show: (line: Buffer) => Buffer | boolean): Buffer {
  const shown: Buffer[] = []
  for (let from = 0; from < lines.length;) {
    const at = lines.indexOf(newline, from)
    const end = at < 0 ? lines.length : at + 1
    const line = show(lines.subarray(from, end))
    if (typeof line !== 'boolean') shown.push(line)
    from = end
  }
  return Buffer.concat(shown)
}

/** What the cluster says of CIDs that are not pinned: the same shape, HTTP status 200. */
function asUnpinned(line: Buffer): Buffer {
  const { cid, peer_map: peers } = readObject(line.toString())
  const now = new Date().toISOString()
  const unpinned = Object.entries(isObject(peers) ? peers : {}).map(([id, peer]) => [
    id,
    {
      ...(isObject(peer) && peer),
      ...{ status: 'unpinned', timestamp: now, error: '', attempt_count: 0 },
    },
  ])
  const status = {
    cid,
    name: '',
    allocations: [],
    origins: null,
    created: now,
    metadata: null,
    peer_map: Object.fromEntries(unpinned) as object,
  }
  return Buffer.from(`${JSON.stringify(status)}\n`)
}

const text = String.raw`(?:[^"\\]|\\.)*`
const entry = `"${reservedPrefix.replace('.', String.raw`\.`)}${text}":"${text}"`

/** A run of the gate's entries in an object, with what stands before and behind it. */
const entries = new RegExp(`([{,])${entry}(?:,${entry})*(,?)`, 'g')
const isLeft = new RegExp(`"${reservedPrefix}${text}"\\s*:`)

/**
 * Metadata without the gate's own entries; all other bytes stay as they are. They are taken out of
 * the text, as to parse and print a listing of 200 MB would hold up everybody. In JSON a quote
 * inside of a text has a backslash before it, so nothing that a client writes looks like an entry.
 */
function withoutLeases(lines: Buffer): Buffer {
  if (!lines.includes(reserved)) return lines
  const cleaned = lines
    .toString('latin1')
    .replace(entries, (_run, before: string, behind: string) => (before === '{' ? '{' : behind))
    .replaceAll('"metadata":{},"peer_map"', '"metadata":null,"peer_map"')
  // Printed otherwise than the cluster does.
  if (isLeft.test(cleaned)) return eachLine(Buffer.from(cleaned, 'latin1'), rebuilt)
  return Buffer.from(cleaned, 'latin1')
}

function rebuilt(line: Buffer): Buffer {
  const json = readObject(line.toString())
  const metadata = Object.entries(isObject(json.metadata) ? json.metadata : {})
  const own = metadata.filter(([key]) => !key.startsWith(reservedPrefix))
  return Buffer.from(`${JSON.stringify({ ...json, metadata: Object.fromEntries(own) })}\n`)
}

/** @throws ClusterFault when they are not what the cluster answers */
export type ShowLines = (lines: Buffer) => Buffer

/** Of lines that come in pieces: hands on whole ones, as encoders see them. */
export class ShownLines {
  private rest: Buffer = Buffer.alloc(0)

  constructor(private readonly show: ShowLines) {}

  /** The lines that are whole by now; the piece's memory, where nothing had to be changed. */
  take(piece: Buffer): Buffer[] {
    const end = piece.lastIndexOf(newline) + 1
    if (end === 0) {
      this.rest = Buffer.concat([this.rest, piece])
      if (this.rest.length > lineBytesMax) throw badAnswer('a line is too long')
      return []
    }
    const first = this.rest.length === 0 ? 0 : piece.indexOf(newline) + 1
    const head = Buffer.concat([this.rest, piece.subarray(0, first)])
    const lines = piece.subarray(first, end)
    this.rest = Buffer.from(piece.subarray(end))
    return [head, lines]
      .filter(({ length }) => length > 0)
      .map((whole) => this.show(whole))
      .filter(({ length }) => length > 0)
  }

  /** @throws ClusterFault when the last line has no end: the rest of it is missing */
  finish(): void {
    if (this.rest.length > 0) throw new ClusterFault('cluster-cut')
  }
}
