/** Pins that were accepted while the cluster was away, on the disk until they are made. */
import { lockDirectory } from '../disk/directory-lock.js'
import { DurableFile, makeDirectory } from '../disk/durable-file.js'
import { acceptedLine, doneLine, type Entry, readContents, type Wish } from './entry.js'
import { journalPath, readJournal, setAside } from './journal-file.js'
import type { Logger } from '../log/logger.js'

export interface JournalParts {
  readonly directory: string
  /** Beyond it nothing is accepted. */
  readonly entriesMax: number
  /** For the log. */
  readonly tell: Logger
}

/** Pins of the journal: how many wait, and what became of others since the start. */
export interface JournalReport {
  readonly waiting: number
  readonly made: number
  readonly dropped: number
}

/** No more is accepted, or the disk does not take it: the request is refused. */
export class JournalFault extends Error {
  override readonly name = 'JournalFault'
}

/** Lines of what is done, beyond which the file is written anew. */
const doneLinesMax = 10_000

export class Journal {
  private readonly file: DurableFile
  private readonly byCid = new Map<string, Entry[]>()
  private readonly byEncoder = new Map<string, number>()
  /** Done, but not yet on the disk. */
  private readonly finished = new Set<Entry>()
  /** Accepted, but not yet on the disk. */
  private readonly writing = new Map<Entry, Promise<void>>()
  private readonly waiters = new Map<string, Set<() => void>>()
  private count = 0
  private seq = 0
  private doneLines = 0
  private isBroken = false
  private unlock = (): void => undefined

  private constructor(private readonly parts: JournalParts) {
    this.file = new DurableFile(journalPath(parts.directory), () =>
      this.entries()
        .filter((entry) => !this.finished.has(entry))
        .map(acceptedLine)
        .join(''),
    )
  }

  /** @throws when the directory cannot be used, or another daemon has it */
  static async open(parts: JournalParts): Promise<Journal> {
    const { directory, tell } = parts
    const journal = new Journal(parts)
    await makeDirectory(directory)
    journal.unlock = await lockDirectory(directory, 'journal')
    const text = (await readJournal(directory)) ?? ''
    const { entries, damaged, isTorn } = readContents(text)
    for (const entry of entries) journal.add(entry)
    journal.seq = Math.max(0, ...entries.slice(-1).map(({ seq }) => seq))
    if (damaged > 0) {
      const kept = await setAside(directory, text)
      tell('error', { damaged, kept }, 'the journal is damaged: lines of it cannot be read')
    }
    if (isTorn) tell('warn', { directory }, 'the last line of the journal was never finished')
    if (entries.length > 0)
      tell('info', { directory, entries: entries.length }, 'the journal has pins to be made')
    await journal.file.rewrite()
    return journal
  }

  get size(): number {
    return this.count
  }

  /** Whether anything of this CID waits. */
  has(cid: string): boolean {
    return this.byCid.has(cid)
  }

  sizeOf(encoder: string): number {
    return this.byEncoder.get(encoder) ?? 0
  }

  /** The last that was asked for of a CID. */
  lastOf(cid: string): Entry | undefined {
    return this.byCid.get(cid)?.at(-1)
  }

  /** The first of each CID, in the order in which the CIDs came: those that may be made now. */
  *heads(): Generator<Entry> {
    for (const [head] of this.byCid.values())
      if (head !== undefined && !this.writing.has(head)) yield head
  }

  /** In the order in which they were accepted. */
  entries(): Entry[] {
    return [...this.byCid.values()].flat().sort((one, other) => one.seq - other.seq)
  }

  /**
   * Resolves when it is on the disk. Of the same once more, only that it is there already.
   *
   * @throws JournalFault
   */
  async accept(wish: Wish): Promise<Entry> {
    const last = this.lastOf(wish.cid)
    if (last !== undefined && isSame(last, wish)) {
      await this.writing.get(last)
      return last
    }
    if (this.count >= this.parts.entriesMax)
      throw new JournalFault(`the journal is full: ${this.count} pins wait in it`)
    const entry = { ...wish, seq: ++this.seq, atMs: Date.now() }
    // From now on what is asked of this CID goes behind it.
    this.add(entry)
    const writing = this.write(acceptedLine(entry)).catch((error: unknown) => {
      this.remove(entry)
      throw new JournalFault('the journal cannot be written', { cause: error })
    })
    this.writing.set(entry, writing)
    try {
      await writing
    } finally {
      this.writing.delete(entry)
    }
    return entry
  }

  /** It was made, or is not to be made: it waits no more once that is on the disk. */
  async done(entry: Entry): Promise<void> {
    if (this.finished.has(entry) || this.byCid.get(entry.cid)?.includes(entry) !== true) return
    this.finished.add(entry)
    // Where the disk takes nothing it may be made once more, which changes nothing.
    await this.write(doneLine(entry.seq)).catch(() => undefined)
    this.finished.delete(entry)
    this.remove(entry)
    this.doneLines++
    if (this.count > 0 && this.doneLines < Math.max(doneLinesMax, this.count)) return
    this.doneLines = 0
    await this.file.rewrite().catch((error: unknown) => {
      this.broke(error)
    })
  }

  /**
   * Calls back when nothing of this CID waits any more.
   *
   * @returns for whoever does not want to know any more
   */
  whenDone(cid: string, done: () => void): () => void {
    const waiters = this.waiters.get(cid) ?? new Set()
    this.waiters.set(cid, waiters.add(done))
    return () => {
      waiters.delete(done)
    }
  }

  async close(): Promise<void> {
    await this.file.close()
    this.unlock()
  }

  private async write(line: string): Promise<void> {
    try {
      await this.file.append(line)
    } catch (error) {
      this.broke(error)
      throw error
    }
    if (!this.isBroken) return
    this.isBroken = false
    this.parts.tell('info', {}, 'the journal can be written again')
  }

  private broke(err: unknown): void {
    if (this.isBroken) return
    this.isBroken = true
    const { directory, tell } = this.parts
    tell('error', { directory, err }, 'the journal cannot be written: pins are refused')
  }

  private add(entry: Entry): void {
    const entries = this.byCid.get(entry.cid)
    if (entries === undefined) this.byCid.set(entry.cid, [entry])
    else entries.push(entry)
    this.byEncoder.set(entry.encoder, this.sizeOf(entry.encoder) + 1)
    this.count++
  }

  private remove(entry: Entry): void {
    const left = (this.byCid.get(entry.cid) ?? []).filter((other) => other !== entry)
    if (left.length > 0) this.byCid.set(entry.cid, left)
    else this.byCid.delete(entry.cid)
    const ofEncoder = this.sizeOf(entry.encoder) - 1
    if (ofEncoder > 0) this.byEncoder.set(entry.encoder, ofEncoder)
    else this.byEncoder.delete(entry.encoder)
    this.count--
    if (left.length > 0) return
    const waiters = this.waiters.get(entry.cid)
    this.waiters.delete(entry.cid)
    for (const waiter of waiters ?? []) waiter()
  }
}

const isSame = (entry: Entry, wish: Wish): boolean =>
  entry.encoder === wish.encoder &&
  entry.untilMs === wish.untilMs &&
  JSON.stringify(entry.options) === JSON.stringify(wish.options)
