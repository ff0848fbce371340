/** Reads the daemon's log: from files, rotated files, or systemd. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, type Stats } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { readLogLine } from '../log/line-text.js'
import { configInUse } from './config-faults.js'
import type { Io } from './io.js'
import { CommandError, fileFault, UsageError } from './report.js'
import { spanMsOf, timeMsOf } from '../time/span-text.js'
import { lineBytesMax, linesOf } from './tail/follow.js'

/**
 * What the daemon wrote, taken out of what carries it: lines of journald in any of its formats, of
 * docker's and CRI's log files, of `docker compose logs`. They cut long lines, whose parts are
 * joined. Any other text stays as it is.
 */
export async function* ownLines(carried: AsyncIterable<string>): AsyncGenerator<string> {
  const begun = new Map<string, string>()
  for await (const text of carried) {
    const { own, stream, isCut } = partIn(text)
    const whole = (begun.get(stream) ?? '') + own
    begun.delete(stream)
    if (isCut && whole.length < lineBytesMax) begun.set(stream, whole)
    else yield whole
  }
  yield* begun.values()
}

interface Part {
  readonly own: string
  /** Lines of one stream follow each other. */
  readonly stream: string
  /** Its next line continues the same text. */
  readonly isCut: boolean
}

function partIn(text: string): Part {
  const wholeOf = (own: string): Part => ({ own, stream: '', isCut: false })
  if (text.startsWith(ownStart)) return wholeOf(text)
  if (text.startsWith('{')) return partInJson((readLogLine(text) ?? {}) as CarriedJson, text)
  const [, stream = '', tag, rest = ''] = criLine.exec(text) ?? []
  if (tag !== undefined) return { own: rest, stream, isCut: tag === 'P' }
  const at = text.indexOf(ownStart)
  return wholeOf(at < 0 ? text : text.slice(at))
}

/** The format of the Container Runtime Interface: P is a part, F the last one. */
const criLine = /^\d{4}-\S+ (stdout|stderr) ([FP])(?::\S*)? (.*)$/s

interface CarriedJson {
  readonly log?: unknown
  readonly stream?: unknown
  readonly MESSAGE?: unknown
  readonly _PID?: unknown
  readonly _LINE_BREAK?: unknown
}

function partInJson({ log, MESSAGE, ...line }: CarriedJson, text: string): Part {
  if (typeof log === 'string') {
    const isCut = !log.endsWith('\n')
    return { own: isCut ? log : log.trimEnd(), stream: String(line.stream), isCut }
  }
  // journalctl writes text with control characters as its bytes.
  const own = Array.isArray(MESSAGE) ? Buffer.from(MESSAGE).toString() : MESSAGE
  if (typeof own !== 'string') return { own: text, stream: '', isCut: false }
  return { own, stream: String(line._PID), isCut: line._LINE_BREAK === 'line-max' }
}

/** The file that the configuration names; undefined: the daemon writes to its standard output. */
export async function configuredLog(configPath: string, io: Io): Promise<string | undefined> {
  return (await configInUse(configPath, io)).config.log.file
}

/** With the rotated files, the oldest first. In the middle of a rotation the file is missing. */
export async function rotatedFiles(file: string): Promise<string[]> {
  const [directory, name] = [dirname(file), basename(file)]
  const names = (await readdir(directory).catch(() => [])).filter((other) => isRotated(other, name))
  const look = async (path: string) => ({ path, stat: await stat(path) })
  const rotated = await Promise.all(names.map((other) => look(join(directory, other))))
  const files = rotated
    .filter((each) => each.stat.isFile())
    .sort((one, other) => one.stat.mtimeMs - other.stat.mtimeMs)
  const own = await look(file).catch((error: unknown) => {
    if (files.length === 0) throw fileFault(file, error, 'read')
    return undefined
  })
  // A link may name the newest of them.
  const all = own === undefined ? files : [...files.filter((each) => !isSame(each, own)), own]
  return all.map(({ path }) => path)
}

interface Looked {
  readonly stat: Pick<Stats, 'dev' | 'ino'>
}

const isSame = (one: Looked, other: Looked): boolean =>
  one.stat.ino === other.stat.ino && one.stat.dev === other.stat.dev

/** Such as that of a shell's `<(…)`: it is read once, as it comes. */
export const isPipe = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFIFO(),
    () => false,
  )

/** Such as `access.log.2.gz` and `access.log-20261126`, or with its extension at the end. */
function isRotated(other: string, name: string): boolean {
  // One that is not read here has to be told.
  const base = other.replace(/\.(?:gz|zst|xz|bz2)$/, '')
  const extension = extname(name)
  const stem = basename(name, extension)
  const middle = base.startsWith(name)
    ? base.slice(name.length)
    : extension !== '' && base.startsWith(stem) && base.endsWith(extension)
      ? base.slice(stem.length, -extension.length)
      : ''
  return /^[.-][\w.-]*\d$/.test(middle)
}

/**
 * Lines of a file, plain or compressed.
 * @param until offset in a file that grows
 * @throws CommandError when it cannot be read
 */
export async function* linesIn(path: string, until?: number): AsyncGenerator<string> {
  if (until === 0) return
  const form = await formOf(path)
  const bytes = createReadStream(path, until === undefined ? {} : { end: until - 1 })
  const unpacked = form === 'gzip' || form === 'zstd' ? unpack(bytes, form) : bytes
  try {
    yield* ownLines(linesOf(unpacked))
  } catch (error) {
    throw fileFault(path, error, 'read')
  }
}

/** How a line of the daemon begins, also where another one carries it. */
const ownStart = '{"level":'

type Form = 'plain' | 'carried' | 'gzip' | 'zstd'

/** By its first bytes, whatever its name. */
export async function formOf(path: string): Promise<Form> {
  if (await isPipe(path)) return 'carried'
  const file = await open(path, 'r').catch((error: unknown) => {
    throw fileFault(path, error, 'read')
  })
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(16), 0, 16, 0)
    const start = buffer.toString('hex', 0, Math.min(bytesRead, 6))
    const text = buffer.toString('latin1', 0, bytesRead)
    if (start.startsWith('1f8b')) return 'gzip'
    if (start.startsWith('28b52ffd')) return 'zstd'
    const other = start === 'fd377a585a00' ? 'xz' : start.startsWith('425a68') ? 'bzip2' : undefined
    if (other === undefined)
      return bytesRead === 0 || text.startsWith(ownStart) ? 'plain' : 'carried'
    throw new CommandError(
      `${path} is compressed with ${other}, which pinwarden cannot read`,
      `${other} -dc ${path} | pinwarden tail -`,
    )
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw fileFault(path, error, 'read')
  } finally {
    await file.close()
  }
}

function unpack(bytes: Readable, form: 'gzip' | 'zstd'): Readable {
  const unpacker = form === 'gzip' ? createGunzip() : createZstdDecompress()
  bytes.on('error', (error) => unpacker.destroy(error))
  return bytes.pipe(unpacker)
}

export interface JournaldOptions {
  readonly sinceMs?: number | undefined
  /** Number of last lines; undefined: all. */
  readonly count?: number | undefined
  readonly follow?: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * What systemd keeps of the daemon's standard output.
 *
 * @throws CommandError where journald keeps none, or it may not be read
 */
export async function* journaldLines(options: JournaldOptions): AsyncGenerator<string> {
  const { sinceMs, count, follow = false, signal } = options
  const program = spawn(
    'journalctl',
    [
      ...['--unit=pinwarden', '--no-pager', '--quiet', '--all'],
      ...['--output=json', '--output-fields=MESSAGE,_PID,_LINE_BREAK'],
      ...(sinceMs === undefined ? [] : [`--since=@${Math.floor(sinceMs / 1000)}`]),
      ...(count === undefined ? [] : [`--lines=${count}`]),
      ...(follow ? ['--follow'] : []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], ...(signal && { signal }) },
  )
  let said = ''
  program.stderr.on('data', (part: Buffer) => (said += part.toString()))
  const ended = once(program, 'close') as Promise<[code: number | null]>
  ended.catch(() => undefined)
  try {
    yield* ownLines(linesOf(program.stdout))
    const [code] = await ended
    if (code !== 0) throw new Error(said.trim() === '' ? `exit code ${code ?? 0}` : said.trim())
  } catch (error) {
    if (signal?.aborted === true) return
    throw new CommandError(
      `systemd's journal cannot be read: ${messageOf(error)}`,
      'name a file, or pipe the log in: docker logs gate | pinwarden tail -',
    )
  } finally {
    program.kill()
  }
}

/** @returns a time in ms; undefined: none was asked for */
export function sinceOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const minutes = /^(\d{1,6})m(?:in)?$/.exec(text)?.[1]
  const spanMs = minutes === undefined ? spanMsOf(text) : Number(minutes) * 60_000
  if (!Number.isNaN(spanMs)) return now - spanMs
  const time = timeMsOf(text)
  if (!Number.isNaN(time)) return time
  throw new UsageError(
    `--since ${text} is not a time`,
    'such as 30m, 2h, 7d, 2026-11-29, 2026-11-29T18:00:00Z',
  )
}

/** A line without a time belongs to the one before it. */
export function isSince(text: string, sinceMs: number | undefined): boolean {
  if (sinceMs === undefined) return true
  const time = Date.parse(/"time":"([^"]{10,40})"/.exec(text)?.[1] ?? '')
  return Number.isNaN(time) || time >= sinceMs
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error ? String(error.code) : error.message) : String(error)
