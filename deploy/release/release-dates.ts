/** Judges a release by the dates of others: may it lack a fix that is out already? */

export interface Release {
  /** Three numbers; prereleases do not count. */
  readonly version: string
  readonly date: Date
}

/**
 * - `behind`: its own line has a newer release.
 * - `missing`: an older line had a release later than its own line; a fix that needed no newer line
 *   is likely to be due here.
 * - `newer line`: only newer lines had a later release; its own may no longer get fixes.
 * - `current`: none of these.
 */
export type Verdict = 'behind' | 'missing' | 'newer line' | 'current'

export interface Judgement {
  readonly verdict: Verdict
  /** The release that says so. */
  readonly because?: Release
}

/** Fixes for a hole come out on all lines within it. */
const togetherMs = 86_400_000

/**
 * A line is what shares a major version; of 0.x, also the minor one.
 *
 * @param version what is installed
 */
export function judge(version: string, releases: readonly Release[]): Judgement {
  const isOwn = (release: Release): boolean => isOneLine(release.version, version)
  const newest = newestOf(releases.filter(isOwn))
  if (newest !== undefined && compare(newest.version, version) > 0)
    return { verdict: 'behind', because: newest }
  const sinceMs = (newest?.date.getTime() ?? 0) + togetherMs
  // A registry may have taken in an old release late: only the newest of a line says something.
  const later = releases
    .filter((release) => !isOwn(release) && release.date.getTime() > sinceMs)
    .filter((release) => release === newestOf(lineOf(release, releases)))
  const older = newestOf(later.filter((release) => compare(release.version, version) < 0))
  if (older !== undefined) return { verdict: 'missing', because: older }
  const newer = newestOf(later)
  return newer === undefined ? { verdict: 'current' } : { verdict: 'newer line', because: newer }
}

const numbers = (version: string): number[] => version.split('.').map(Number)

function compare(left: string, right: string): number {
  const others = numbers(right)
  const differences = numbers(left).map((number, place) => number - (others[place] ?? 0))
  return differences.find((difference) => difference !== 0) ?? 0
}

function isOneLine(left: string, right: string): boolean {
  const [[major, minor], [otherMajor, otherMinor]] = [numbers(left), numbers(right)]
  return major === otherMajor && (major !== 0 || minor === otherMinor)
}

const lineOf = ({ version }: Release, releases: readonly Release[]): readonly Release[] =>
  releases.filter((release) => isOneLine(release.version, version))

const newestOf = (releases: readonly Release[]): Release | undefined =>
  releases.toSorted((left, right) => compare(left.version, right.version)).at(-1)
