/** Selects lines of the log. */
import { type AccessLine, levels } from '../../log/access-line.js'
import { canonicalCid } from '../../cluster/cid.js'
import { type LogLine, readLogLine } from '../../log/line-text.js'
import { UsageError } from '../report.js'

export interface Filters {
  /** Name of an encoder; `-` is a request that was not authenticated. */
  readonly encoder: string | undefined
  readonly outcome: string | undefined
  /** Such as `429`, `4xx`, `500-599`. */
  readonly status: string | undefined
  /** Id of a request, as in X-Request-Id; matches other lines about it too. */
  readonly id?: string | undefined
  /** In any spelling. */
  readonly cid?: string | undefined
}

const outcomes = Object.keys(levels)

/**
 * Without filters every line fits; with one, only lines of requests.
 *
 * @throws UsageError
 */
export function wantedBy(filters: Filters): (line: string) => boolean {
  const { encoder, outcome, status, id, cid } = filters
  const canonical = cid === undefined ? undefined : canonicalCid(cid)
  if (cid !== undefined && canonical === undefined)
    throw new UsageError(`--cid ${cid} is not a CID`, 'such as QmUNLL…, bafy…')
  if (outcome !== undefined && !outcomes.includes(outcome))
    throw new UsageError(`--outcome ${outcome} is not an outcome; use ${outcomes.join(', ')}`)
  const [least, most] = status === undefined ? [0, Infinity] : rangeOf(status)
  const names = (text: string): boolean =>
    (id === undefined || text.includes(`"id":${JSON.stringify(id)}`)) &&
    (canonical === undefined || text.includes(`"cid":"${canonical}"`))
  if (encoder === undefined && outcome === undefined && status === undefined) return names

  return (text) => {
    if (!names(text)) return false
    const line = requestLine(text)
    return (
      line !== undefined &&
      (encoder === undefined || (line.encoder ?? '-') === encoder) &&
      (outcome === undefined || line.outcome === outcome) &&
      line.status >= least &&
      line.status <= most
    )
  }
}

function rangeOf(text: string): readonly [least: number, most: number] {
  const family = /^([1-5])xx$/i.exec(text)?.[1]
  if (family !== undefined) return [Number(family) * 100, Number(family) * 100 + 99]
  const [, least, most = least] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text) ?? []
  if (least === undefined)
    throw new UsageError(`--status ${text} is not a status; use 429, 4xx or 500-599`)
  return [Number(least), Number(most)]
}

type RequestLine = LogLine & Pick<AccessLine, 'outcome' | 'status'>

function requestLine(text: string): RequestLine | undefined {
  // Cheaper than to parse what cannot be one.
  if (!text.includes('"outcome":')) return undefined
  const line = readLogLine(text)
  return line !== undefined && isRequest(line) ? line : undefined
}

const isRequest = (line: LogLine): line is RequestLine =>
  typeof line.status === 'number' && typeof line.outcome === 'string'
