/**
 * Tells the rows of the last minutes by their places in the order of this gate's writes, whatever
 * steps the clock of the machine makes.
 */
import { minuteMs } from '../../time/units.js'

/** With CRDT batching the cluster shows a write with a delay. */
export const lagMs = 300_000

/** A row counts as recent for up to this much longer. */
const markMs = 10_000

/** A comparison this long after a write decides on it. */
export const decidedMs = lagMs + minuteMs

/** The last place that was in use at a time. */
interface Mark {
  readonly atMs: number
  readonly place: number
}

export class RecentPlaces {
  /** The oldest first; all but the first lie within the lag. */
  private readonly marks: Mark[]
  private last: number

  /**
   * @param last the last place of earlier runs, whose times by this clock are unknown
   * @param monotonic in milliseconds
   */
  constructor(
    last: number,
    private readonly monotonic: () => number,
  ) {
    this.last = last
    this.marks = [{ atMs: monotonic(), place: last }]
  }

  /** A row went to this place. */
  wrote(place: number): void {
    const atMs = this.monotonic()
    if (atMs >= (this.marks.at(-1)?.atMs ?? -Infinity) + markMs) {
      this.marks.push({ atMs, place: this.last })
      this.dropOld(atMs)
    }
    this.last = Math.max(this.last, place)
  }

  /** Rows after this place were written recently. */
  get before(): number {
    const nowMs = this.monotonic()
    // The newest mark stands for what came up to `markMs` later.
    const [newest] = this.marks.slice(-1)
    if (newest !== undefined && newest.atMs <= nowMs - lagMs - markMs) return this.last
    this.dropOld(nowMs)
    return this.marks[0]?.place ?? this.last
  }

  /** The first mark stays: it says which rows are old. */
  private dropOld(nowMs: number): void {
    const isOld = (mark: Mark | undefined): boolean =>
      mark !== undefined && mark.atMs <= nowMs - lagMs
    while (isOld(this.marks[1])) this.marks.shift()
  }
}
