/** Pins as encoders see them: without leases, and soft-deleted pins as unpinned. */
import { ClusterFault } from '../cluster/faults.js'
import { badAnswer, isObject, readObject } from '../cluster/json.js'
import { readPinStatus } from '../cluster/status-answer.js'
import { GrowingBytes } from '../text/growing-bytes.js'
import { formerPrefix, leasePrefix, reservedPrefix } from './lease.js'

const newline = 10
const openBrace = '{'.charCodeAt(0)
const closeBrace = '}'.charCodeAt(0)

const reserved = Buffer.from(`"${reservedPrefix}`)
const former = Buffer.from(`"${formerPrefix}`)
const lease = Buffer.from(`"${leasePrefix}`)

/** Longer than any line of the cluster. */
const lineBytesMax = 1024 * 1024

/** Whether a status in the cluster's JSON is of a soft-deleted pin. */
const isSoftDeleted = (line: Buffer): boolean => line.includes(former) && !line.includes(lease)

/** A pin's record, as answers to POST and DELETE show it. */
export const shownRecord = (line: Buffer): Buffer => withoutLeases(line)

/**
 * A pin's status.
 * @throws ClusterFault when it is not a record
 */
export const shownStatus = (line: Buffer): Buffer =>
  isSoftDeleted(line) ? asUnpinned(line) : withoutLeases(line)

/** Whole lines of a listing, without soft-deleted pins. */
export function shownListing(lines: Buffer): Buffer {
  for (let from = 0; from < lines.length;) {
    const end = lines.indexOf(newline, from)
    if (lines[from] !== openBrace || lines[end - 1] !== closeBrace)
      throw badAnswer('a line that is not a JSON object')
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
 * @param cids of the request, in their canonical spelling; undefined: unknown
 */
export const shownStatuses =
  (cids: ReadonlySet<string> | undefined): ShowLines =>
  (lines) =>
    eachLine(lines, (line) => {
      const { cid } = readPinStatus(line.toString())
      if (cids?.has(cid) === false) throw badAnswer('a line about another CID')
      return shownStatus(line)
    })

/** @param show gives the text that replaces a line; true: the line stays out */
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

/** The cluster's answer for CIDs that are not pinned: the same shape, HTTP status 200. */
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

/** A run of the gate's entries in an object, with its surroundings. */
const entries = new RegExp(`([{,])${entry}(?:,${entry})*(,?)`, 'g')
const isLeft = new RegExp(`"${reservedPrefix}${text}"\\s*:`)

/**
 * Metadata without the gate's own entries; all other bytes stay. Cutting them out of the text is
 * fast: parsing and printing a listing of 200 MB would block every request. Inside of a JSON text a
 * quote follows a backslash, so nothing that a client writes looks like an entry.
 */
function withoutLeases(lines: Buffer): Buffer {
  if (!lines.includes(reserved)) return lines
  const cleaned = lines
    .toString('latin1')
    .replace(entries, (_run, before: string, behind: string) => (before === '{' ? '{' : behind))
    .replaceAll('"metadata":{},"peer_map"', '"metadata":null,"peer_map"')
  // Not in the cluster's own format.
  if (isLeft.test(cleaned)) return eachLine(Buffer.from(cleaned, 'latin1'), rebuilt)
  return Buffer.from(cleaned, 'latin1')
}

function rebuilt(line: Buffer): Buffer {
  const json = readObject(line.toString())
  const metadata = Object.entries(isObject(json.metadata) ? json.metadata : {})
  const own = metadata.filter(([key]) => !key.startsWith(reservedPrefix))
  return Buffer.from(`${JSON.stringify({ ...json, metadata: Object.fromEntries(own) })}\n`)
}

/** @throws ClusterFault when the lines are not the cluster's */
export type ShowLines = (lines: Buffer) => Buffer

/** Takes lines in pieces and passes on whole ones, as encoders see them. */
export class ShownLines {
  private isEmpty = true
  private readonly rest = new GrowingBytes()

  constructor(private readonly show: ShowLines) {}

  /** The complete lines so far; the piece's own memory, where nothing changed. */
  take(piece: Buffer): Buffer[] {
    this.isEmpty = false
    const end = piece.lastIndexOf(newline) + 1
    if (end === 0) {
      this.rest.append(piece)
      if (this.rest.length > lineBytesMax) throw badAnswer('a line is too long')
      return []
    }
    const first = this.rest.length === 0 ? 0 : piece.indexOf(newline) + 1
    const head = Buffer.concat([this.rest.take(), piece.subarray(0, first)])
    const lines = piece.subarray(first, end)
    this.rest.append(piece.subarray(end))
    return [head, lines]
      .filter(({ length }) => length > 0)
      .map((whole) => this.show(whole))
      .filter(({ length }) => length > 0)
  }

  /**
   * Without any line the cluster answers 204.
   * @throws ClusterFault also when the last line has no end: the rest of it is missing
   */
  finish(): void {
    if (this.isEmpty) throw badAnswer('a listing without a line')
    if (this.rest.length > 0) throw new ClusterFault('cluster-cut')
  }
}
