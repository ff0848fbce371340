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

/** The last place before the writes of `markMs` that began then. */
interface Mark {
  readonly atMs: number
  readonly place: number
}

export class RecentPlaces {
  /** Of the writes within the lag, the oldest first. */
  private readonly marks: Mark[] = []
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
    this.dropOld(this.monotonic())
    return this.marks[0]?.place ?? this.last
  }

  private dropOld(nowMs: number): void {
    const oldMs = nowMs - lagMs - markMs
    while ((this.marks[0]?.atMs ?? Infinity) <= oldMs) this.marks.shift()
  }
}
