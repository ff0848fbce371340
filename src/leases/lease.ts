/** A lease: one holder's hold of one pin, written into the pin's metadata. */
import type { Parameter } from '../cluster/query.js'

export interface Lease {
  /** The opaque id of an encoder, or {@link operator}. */
  readonly holder: string
  /** Milliseconds since the epoch, whole seconds. */
  readonly sinceMs: number
  /** When the lease ends; Infinity: never. */
  readonly untilMs: number
  /**
   * Its token, see token.ts; undefined: something else than the gate wrote it, or an older release.
   */
  readonly token?: string | undefined
  /**
   * Tokens of the holder's leases at other gates that this one replaced, the latest of each gate:
   * releasing this lease also releases them, whatever its gate has reported by then.
   */
  readonly replaces?: readonly string[]
}

/** Prefix of the gate's metadata; clients cannot write it. */
export const reservedPrefix = 'pinwarden.'

/** The holder of pins from outside the gate. No encoder has this id. */
export const operator = 'operator'

export const leasePrefix = `${reservedPrefix}lease.`

/** The metadata's entry of a soft-deleted pin: its previous holders. */
export const formerPrefix = `${reservedPrefix}former.`

export type LeaseKind = 'lease' | 'former'

const prefixes: Readonly<Record<LeaseKind, string>> = { lease: leasePrefix, former: formerPrefix }

/**
 * The metadata's entry of a lease, such as `pinwarden.lease.k3v9… = 20260101T000000Z/../GATE.17`,
 * with more tokens where it replaced leases of other gates. Older releases read the two times and
 * leave out what they do not know.
 */
export const leaseEntry = (
  { holder, sinceMs, untilMs, token, replaces = [] }: Lease,
  kind: LeaseKind = 'lease',
): Parameter => [
  prefixes[kind] + holder,
  [timeText(sinceMs), timeText(untilMs), ...(token === undefined ? [] : [token, ...replaces])].join(
    '/',
  ),
]

/** Undefined: the entry is not a lease. */
export function readLease(
  key: string,
  value: string,
): { readonly kind: LeaseKind; readonly lease: Lease } | undefined {
  const kind = key.startsWith(leasePrefix)
    ? 'lease'
    : key.startsWith(formerPrefix)
      ? 'former'
      : undefined
  if (kind === undefined) return undefined
  const [since = '', until = '', token, ...replaces] = value.split('/', 3 + replacesMax)
  // Reads an end that something else may have written: an unreadable one counts as no end.
  const lease = {
    holder: key.slice(prefixes[kind].length),
    sinceMs: timeOf(since) ?? 0,
    untilMs: timeOf(until) ?? Infinity,
    ...(token !== undefined && { token }),
    ...(replaces.length > 0 && { replaces }),
  }
  return { kind, lease }
}

/** The end of the longest; -Infinity without leases. */
export const latestEnd = (leases: readonly Lease[]): number =>
  Math.max(-Infinity, ...leases.map(({ untilMs }) => untilMs))

/** RFC 3339 without a fraction: the cluster keeps none. */
export const wholeSeconds = (ms: number): string => spell(ms).extended

/** ISO 8601 in its basic form, as colons cost three bytes each in a query; `..` is an open end. */
const timeText = (ms: number): string => (ms === Infinity ? '..' : spell(ms).basic)

interface Spelling {
  readonly extended: string
  readonly basic: string
}

/** Leases of one second begin and end alike; spelling their times out is costly. */
const spelled = new Map<number, Spelling>()
const spelledMax = 64

function spell(ms: number): Spelling {
  const known = spelled.get(ms)
  if (known !== undefined) return known
  const extended = `${new Date(ms).toISOString().slice(0, 19)}Z`
  const spelling = { extended, basic: extended.replaceAll(/[-:]/g, '') }
  if (spelled.size >= spelledMax) spelled.clear()
  spelled.set(ms, spelling)
  return spelling
}

function timeOf(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (parts === null) return undefined
  const [, year, month, day, hour, minute, second] = parts
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) ? undefined : ms
}

/**
 * The version of a lease: `GATE.SEQ`, the gate that wrote it and the number of that write. Equal
 * leases have equal tokens. Times are not versions: the cluster keeps whole seconds, and a POST, a
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

/** @returns undefined when the text is not a token: another writer or an older release wrote it */
export function readToken(text: string): Token | undefined {
  const [, gateId, seq] = form.exec(text) ?? []
  return gateId === undefined || seq === undefined ? undefined : { gateId, seq: Number(seq) }
}

type Version = Partial<Pick<Lease, 'holder' | 'token'>>

/** Whether both are the same write of a holder's lease; one write may be of several holders. */
export const isSameVersion = (one: Version, other: Version): boolean =>
  one.holder === other.holder && one.token === other.token

/** Whether a token is another one, or an earlier one of its gate, also of another holder. */
export function isNoLater(token: string | undefined, other: string): boolean {
  const [own, version] = [readToken(token ?? ''), readToken(other)]
  if (own === undefined || version === undefined) return token === other
  return own.gateId === version.gateId && own.seq <= version.seq
}

/** The latest of each gate. */
export function latestTokens(texts: readonly string[]): readonly string[] {
  const latest = new Map<string, Token>()
  for (const text of texts) {
    const token = readToken(text)
    if (token !== undefined && token.seq > (latest.get(token.gateId)?.seq ?? -1))
      latest.set(token.gateId, token)
  }
  return [...latest.values()].map(tokenText)
}

/** Metadata is short: those of more gates are left out. */
const replacesMax = 8

/**
 * The tokens that a new lease replaces, of other gates; there is room for one of its own gate.
 * @param before the most important first
 */
export function replacedBy(token: string, before: readonly string[]): readonly string[] {
  const gateId = readToken(token)?.gateId
  const others = before.filter((text) => readToken(text)?.gateId !== gateId)
  return latestTokens(others).slice(0, replacesMax - 1)
}

/** The token of a lease, and those that it replaced; the latest first. */
export const tokensOf = ({
  token,
  replaces = [],
}: Pick<Lease, 'token' | 'replaces'>): readonly string[] =>
  token === undefined ? [] : [token, ...replaces]
