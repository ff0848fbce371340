/** Buffers log lines for the disk: in order and bounded, with a part reserved for encoders. */
import { close, constants, open, write } from 'node:fs'
import { promisify } from 'node:util'

/** A run of waiting lines of one kind. */
interface Part {
  text: string
  lines: number
  readonly isOfStrangers: boolean
}

/** Longest wait of a line for others: each write costs a third of a request. */
const gatherMs = 10
const writtenMax = 1_048_576
/** A part of this size is written at once. */
const partMax = 65_536
/** After this time without a written byte, the sink counts as stalled. */
const stalledMs = 1000
const againMs = { busy: 20, failed: 1000 }

const openFile = promisify(open)

/**
 * Strangers, who have not authenticated, have half of the buffer for their lines. When it is full,
 * their lines are dropped for those of encoders. Sizes count characters: in most lines a character
 * is a byte.
 */
export class LogSink {
  /** Lines lost so far. */
  dropped = 0
  private waiting: Part[] = []
  /** Waiting characters. */
  private size = 0
  private writing: { readonly bytes: Buffer; from: number; readonly size: number } | undefined
  private timer: NodeJS.Timeout | undefined
  private movedMs = performance.now()
  private isFailing = false
  private reopened: number | undefined
  private onWritten: (() => void) | undefined
  private isEnding = false
  private pressure = false
  private readonly listeners: (() => void)[] = []

  /**
   * @param descriptor where lines go
   * @param roomMax characters that may wait
   * @param onAllWritten called whenever the buffer is empty again
   */
  constructor(
    private descriptor: number,
    private readonly roomMax: number,
    private readonly onAllWritten: () => void,
  ) {}

  /** @throws when the file cannot be opened; for a FIFO without a reader the code is ENXIO */
  static open(file: string): Promise<number> {
    const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants
    return openFile(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640)
  }

  get waitingSize(): number {
    return this.size + (this.writing?.size ?? 0)
  }

  /** Whether lines arrive faster than the disk can write them; false when it stalls completely. */
  get isBehind(): boolean {
    return this.pressure
  }

  /** Called with each change of {@link isBehind}. */
  onBehind(listener: () => void): void {
    this.listeners.push(listener)
  }

  /** @param line ends with its LF */
  add(line: string, isOfStrangers: boolean): void {
    if (!this.makeRoom(line.length, isOfStrangers)) {
      this.dropped++
      return
    }
    const last = this.waiting.at(-1)
    if (last?.isOfStrangers === isOfStrangers && last.text.length < partMax) {
      last.text += line
      last.lines++
    } else this.waiting.push({ text: line, lines: 1, isOfStrangers })
    if (this.waitingSize === 0) this.movedMs = performance.now()
    this.size += line.length
    if (this.size > partMax && !this.isFailing) this.flush()
    else this.later(gatherMs)
    this.judge()
  }

  private makeRoom(size: number, isOfStrangers: boolean): boolean {
    const fits = (): boolean =>
      this.waitingSize + size <= (isOfStrangers ? this.roomMax / 2 : this.roomMax)
    if (fits()) return true
    if (isOfStrangers) return false
    for (const { text, lines } of this.waiting.filter((part) => part.isOfStrangers)) {
      this.size -= text.length
      this.dropped += lines
    }
    this.waiting = this.waiting.filter((part) => !part.isOfStrangers)
    return fits()
  }

  /** Writes the buffer, unless a write is in progress. */
  private flush(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.writing !== undefined) return
    this.changeFile()
    if (this.size === 0) return
    let count = 0
    for (let size = 0; count < this.waiting.length && size < writtenMax; count++)
      size += this.waiting[count]?.text.length ?? 0
    const text = this.waiting
      .splice(0, count)
      .map((part) => part.text)
      .join('')
    this.size -= text.length
    this.writing = { bytes: Buffer.from(text), from: 0, size: text.length }
    this.write()
  }

  private write(): void {
    const { writing } = this
    if (writing === undefined) return
    const { bytes, from } = writing
    write(this.descriptor, bytes, from, bytes.length - from, null, (error, written) => {
      if (error !== null) {
        this.failed(error)
        return
      }
      this.isFailing = false
      this.movedMs = performance.now()
      writing.from += written
      if (writing.from < bytes.length) {
        this.write()
        return
      }
      this.writing = undefined
      if (this.size > partMax || this.reopened !== undefined || this.isEnding) this.flush()
      else if (this.size > 0) this.later(gatherMs)
      this.judge()
      if (this.waitingSize > 0) return
      this.onAllWritten()
      this.onWritten?.()
    })
  }

  /** The part in progress stays, so that no line is torn; other lines may be dropped. */
  private failed({ code }: NodeJS.ErrnoException): void {
    const isBusy = code === 'EAGAIN' || code === 'EBUSY'
    this.isFailing = true
    this.judge()
    // A reader that has closed the pipe, or a full disk: the end of the process does not wait for
    // it.
    if (!isBusy) this.onWritten?.()
    this.again(isBusy ? againMs.busy : againMs.failed)
  }

  private again(ms: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.changeFile()
      this.judge()
      this.write()
    }, ms)
  }

  private later(ms: number): void {
    if (this.writing !== undefined) return
    this.timer ??= setTimeout(() => {
      this.flush()
    }, ms)
  }

  private judge(): void {
    const share = this.pressure ? 8 : 4
    const isStalled = performance.now() - this.movedMs > stalledMs
    const isBehind = this.waitingSize > this.roomMax / share && !isStalled
    if (isBehind === this.pressure) return
    this.pressure = isBehind
    if (isBehind) this.watchForStall()
    for (const listener of this.listeners) listener()
  }

  /** A blocking write reports nothing. */
  private watchForStall(): void {
    setTimeout(() => {
      this.judge()
      if (this.pressure) this.watchForStall()
    }, stalledMs / 2).unref()
  }

  /** Applies from the next write on; the rest of a half-written line goes there too. */
  private changeFile(): void {
    if (this.reopened === undefined) return
    close(this.descriptor, () => undefined)
    this.descriptor = this.reopened
    this.reopened = undefined
  }

  /**
   * Continues in the file that has this name now.
   * @throws when it cannot be opened: the old one stays
   */
  async reopen(file: string): Promise<void> {
    const descriptor = await LogSink.open(file)
    const unused = this.reopened
    this.reopened = descriptor
    // Exactly once: the number may belong to a client's socket by then.
    if (unused !== undefined) close(unused, () => undefined)
    this.flush()
  }

  /** Writes the rest and ends; does not wait for a stalled sink. */
  async end(limitMs: number): Promise<void> {
    this.isEnding = true
    let limit: NodeJS.Timeout | undefined
    const over = new Promise<void>((resolve) => {
      this.onWritten = resolve
      limit = setTimeout(resolve, limitMs)
    })
    if (this.isFailing && this.writing !== undefined) this.again(0)
    else this.flush()
    if (this.waitingSize > 0) await over
    clearTimeout(limit)
    clearTimeout(this.timer)
    this.timer = undefined
  }
}
