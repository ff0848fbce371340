/** Pins that nobody holds any more, and that are kept for a grace: encoders see them unpinned. */
import { formerPrefix, leasePrefix } from './lease.js'

const former = Buffer.from(`"${formerPrefix}`)
const lease = Buffer.from(`"${leasePrefix}`)

const lineBytesMax = 1024 * 1024

/** Whether a status of the cluster's, as it stands in its JSON, is of such a pin. */
export const isOfLetGo = (line: Buffer): boolean => line.includes(former) && !line.includes(lease)

/** What the cluster says of CIDs that are not pinned: the same shape, HTTP status 200. */
export function asUnpinned(line: Buffer): Buffer {
  const { cid, peer_map: peers } = JSON.parse(line.toString()) as StatusJson
  const now = new Date().toISOString()
  const unpinned = Object.entries(peers).map(([id, peer]) => [
    id,
    { ...peer, status: 'unpinned', timestamp: now, error: '', attempt_count: 0 },
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

interface StatusJson {
  readonly cid: string
  readonly peer_map: Readonly<Record<string, object>>
}

/** Of lines that come in pieces: hands on whole ones, those of such pins changed or left out. */
export class LinesWithoutLetGo {
  private rest: Buffer = Buffer.alloc(0)

  /** @param changed what stands in the place of such a line; undefined: nothing */
  constructor(private readonly changed: ((line: Buffer) => Buffer) | undefined) {}

  /** The lines that are whole by now; the piece's memory, where nothing had to be changed. */
  take(piece: Buffer): Buffer[] {
    const end = piece.lastIndexOf(10) + 1
    if (end === 0) {
      const rest = Buffer.concat([this.rest, piece])
      // No line of the cluster's is as long.
      const isLine = rest.length <= lineBytesMax
      this.rest = isLine ? rest : Buffer.alloc(0)
      return isLine ? [] : [rest]
    }
    const first = this.rest.length === 0 ? 0 : piece.indexOf(10) + 1
    const head = Buffer.concat([this.rest, piece.subarray(0, first)])
    const lines = piece.subarray(first, end)
    this.rest = Buffer.from(piece.subarray(end))
    return [this.clean(head), this.clean(lines)].filter(({ length }) => length > 0)
  }

  /** What came after the last line's end: nothing, of an answer that is whole. */
  last(): Buffer {
    return this.rest
  }

  private clean(lines: Buffer): Buffer {
    if (!lines.includes(former)) return lines
    const kept: Buffer[] = []
    for (let from = 0; from < lines.length;) {
      const end = lines.indexOf(10, from) + 1
      const line = lines.subarray(from, end)
      if (!isOfLetGo(line)) kept.push(line)
      else if (this.changed !== undefined) kept.push(this.changed(line))
      from = end
    }
    return Buffer.concat(kept)
  }
}
