/**
 * The last writes on the disk: a power cut takes the gate's memory of them together with what the
 * cluster had not written yet. No request waits for it; what is written in a second is one flush.
 */
import { join } from 'node:path'
import { lockDirectory } from '../disk/directory-lock.js'
import { DurableFile, makeDirectory, readDurable } from '../disk/durable-file.js'
import type { SetTimer } from '../time/set-timer.js'
import { Scheduler } from '../time/scheduler.js'
import type { KeptWrite, RecentWrites } from './recent.js'
import type { Logger } from '../log/logger.js'

export interface KeptWritesParts {
  readonly directory: string
  readonly recent: RecentWrites
  /** Base URLs of the cluster; what was written to another is not taken up. */
  readonly cluster: () => readonly string[]
  /** For the log. */
  readonly tell: Logger
  readonly later: SetTimer
  readonly now?: () => number
}

const flushMs = 1000

/** After the disk took nothing. */
const retryMs = 5000

/** Lines beyond which the file is written anew, with the writes that are looked at only. */
const linesMax = 10_000

/** So many pins may wait for a disk that stalls; then the file is written anew. */
const notedMax = 2000

export class KeptWrites {
  /** Whether the run before ended without being told to. */
  wasKilled = false
  private readonly file: DurableFile
  private readonly noted = new Set<string>()
  private readonly rounds: Scheduler
  private readonly now: () => number
  private lines = 0
  private isStale = true
  private isBroken = false
  private isClosing = false
  private fromMs = -Infinity

  private constructor(
    private readonly parts: KeptWritesParts,
    private readonly unlock: () => void,
  ) {
    this.now = parts.now ?? Date.now
    this.file = new DurableFile(pathIn(parts.directory), () => this.whole())
    this.rounds = new Scheduler({
      round: () => this.flush(),
      now: this.now,
      setTimer: parts.later,
    })
  }

  /**
   * Takes up what the run before kept, and keeps from now on.
   *
   * @throws when the directory cannot be used, or another daemon has it
   */
  static async open(parts: KeptWritesParts): Promise<KeptWrites> {
    const { directory, recent } = parts
    await makeDirectory(directory)
    const kept = new KeptWrites(parts, await lockDirectory(directory, 'look-back'))
    kept.takeUp((await readDurable(pathIn(directory))) ?? '')
    recent.whenNoted((cid) => {
      kept.note(cid)
    })
    await kept.flush()
    return kept
  }

  /** It may be another cluster: nothing that was written so far belongs there. */
  startAnew(): void {
    this.fromMs = this.now()
    this.isStale = true
    this.rounds.runWithin(0)
  }

  async close(): Promise<void> {
    this.rounds.close()
    this.isClosing = true
    await this.flush()
    await this.file.close()
    this.unlock()
  }

  private note(cid: string): void {
    this.noted.add(cid)
    this.isStale ||= this.noted.size > notedMax
    if (this.isStale) this.noted.clear()
    this.rounds.runWithin(flushMs)
  }

  /** @returns milliseconds to the next try, if the disk took nothing */
  private async flush(): Promise<number | undefined> {
    const lines = [...this.noted].map((cid) => this.lineOf(cid))
    this.noted.clear()
    this.lines += lines.length
    try {
      if (this.isStale || this.isClosing || this.lines > linesMax) await this.rewrite()
      else if (lines.length > 0) await this.file.append(lines.join(''))
      this.tellWell()
      return undefined
    } catch (error) {
      this.isStale = true
      this.tellBroken(error)
      return retryMs
    }
  }

  private async rewrite(): Promise<void> {
    this.isStale = false
    this.lines = 0
    await this.file.rewrite()
  }

  /** A header, the writes with the oldest first, and how it ended. */
  private whole(): string {
    const { recent, cluster } = this.parts
    const writes = recent
      .newestFirst()
      .filter(({ atMs }) => atMs >= this.fromMs)
      .map(({ cid }) => this.lineOf(cid))
    const header = `${JSON.stringify({ cluster: cluster() } satisfies Header)}\n`
    return [header, ...writes.reverse(), ...(this.isClosing ? [closed] : [])].join('')
  }

  private lineOf(cid: string): string {
    return `${JSON.stringify(this.parts.recent.kept(cid))}\n`
  }

  private takeUp(text: string): void {
    const { directory, recent, cluster, tell } = this.parts
    const [header = '', ...lines] = text.split('\n')
    if (header === '') return
    if (header !== JSON.stringify({ cluster: cluster() } satisfies Header)) {
      tell('info', { directory }, 'the cluster is another than that of the last writes')
      return
    }
    const writes = lines.map(readLine)
    for (const write of writes) if (write !== undefined) recent.restore(write)
    this.wasKilled = !text.endsWith(closed)
  }

  private tellWell(): void {
    if (!this.isBroken) return
    this.isBroken = false
    this.parts.tell('info', {}, 'the last writes can be kept on the disk again')
  }

  private tellBroken(err: unknown): void {
    if (this.isBroken) return
    this.isBroken = true
    const { directory, tell } = this.parts
    tell('error', { directory, err }, 'the last writes cannot be kept on the disk')
  }
}

interface Header {
  readonly cluster: readonly string[]
}

/** Of a run that ended as it should. */
const closed = '{"closed":true}\n'

const pathIn = (directory: string): string => join(directory, 'last-writes')

/** Undefined: it is none, or was never finished. */
function readLine(line: string): KeptWrite | undefined {
  try {
    const write = JSON.parse(line) as Partial<KeptWrite> | null
    return isWrite(write) ? write : undefined
  } catch {
    return undefined
  }
}

const isWrite = (write: Partial<KeptWrite> | null): write is KeptWrite =>
  typeof write?.cid === 'string' &&
  typeof write.atMs === 'number' &&
  typeof write.isUnsure === 'boolean' &&
  (write.text === null || typeof write.text === 'string') &&
  (write.writtenMs === null || typeof write.writtenMs === 'number')
