/** Reads the daemon's log: from files, rotated files, or systemd. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { readLogLine } from '../log/line-text.js'
import { loadConfig } from '../settings/load.js'
import { CommandError, fileFault, UsageError } from './report.js'
import { spanMsOf } from '../time/span-text.js'
import { linesOf } from './tail/follow.js'

/**
 * What the daemon wrote, taken out of what carries it: lines of journald in any of its formats, of
 * docker's and CRI's log files, of `docker compose logs`. Any other text stays as it is.
 */
export function ownLine(text: string): string {
  if (text.startsWith('{"level":')) return text
  if (text.startsWith('{')) {
    const { log, MESSAGE } = (readLogLine(text) ?? {}) as { log?: unknown; MESSAGE?: unknown }
    // journalctl writes text with control characters as its bytes.
    const message = Array.isArray(MESSAGE) ? Buffer.from(MESSAGE).toString() : MESSAGE
    const inner = typeof log === 'string' ? log : message
    return typeof inner === 'string' ? inner.trimEnd() : text
  }
  const at = text.indexOf('{"level":"')
  return at < 0 ? text : text.slice(at)
}

/** The file that the configuration names; undefined: the daemon writes to its standard output. */
export async function configuredLog(configPath: string): Promise<string | undefined> {
  return (await loadConfig(configPath)).log.file
}

/** Includes the rotated files, the oldest first. */
export async function rotatedFiles(file: string): Promise<string[]> {
  const [directory, name] = [dirname(file), basename(file)]
  const names = (await readdir(directory).catch(() => [])).filter((other) => isRotated(other, name))
  const dated = await Promise.all(
    names.map(async (other) => {
      const path = join(directory, other)
      return { path, mtimeMs: (await stat(path)).mtimeMs }
    }),
  )
  return [...dated.sort((one, other) => one.mtimeMs - other.mtimeMs).map(({ path }) => path), file]
}

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
  const unpacked = form === 'plain' ? bytes : unpack(bytes, form)
  try {
    for await (const line of linesOf(unpacked)) yield ownLine(line)
  } catch (error) {
    throw fileFault(path, error, 'read')
  }
}

type Form = 'plain' | 'gzip' | 'zstd'

/** By its first bytes, whatever its name. */
export async function formOf(path: string): Promise<Form> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw fileFault(path, error, 'read')
  })
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0)
    const start = buffer.subarray(0, bytesRead).toString('hex')
    if (start.startsWith('1f8b')) return 'gzip'
    if (start.startsWith('28b52ffd')) return 'zstd'
    const other = start === 'fd377a585a00' ? 'xz' : start.startsWith('425a68') ? 'bzip2' : undefined
    if (other === undefined) return 'plain'
    throw new CommandError(
      `${path} is compressed with ${other}, which is not read here`,
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
      ...['--unit=pinwarden', '--output=cat', '--no-pager', '--quiet', '--all'],
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
    for await (const line of linesOf(program.stdout)) yield ownLine(line)
    const [code] = await ended
    if (code !== 0) throw new Error(said.trim() === '' ? `exit code ${code ?? 0}` : said.trim())
  } catch (error) {
    if (signal?.aborted === true) return
    throw new CommandError(
      `the journal of systemd cannot be read: ${messageOf(error)}`,
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
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN
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
