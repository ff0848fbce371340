/**
 * A plan file, always whole: its first line names the kind of plan, its last one marks the end. A
 * second file beside it keeps the progress.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Io } from '../io.js'
import { CommandError, fileFault } from '../report.js'
import { linesOf } from '../tail/follow.js'

/** `release`: leases to release; the others: pins that were changed outside the gate. */
export type PlanKind = 'release' | 'missing' | 'unexpected'

const kinds: readonly string[] = ['release', 'missing', 'unexpected'] satisfies PlanKind[]

const firstLine = '# pinwarden plan: '
const lastLine = '# end of the plan'

/**
 * Never overwrites a plan, which may be half done.
 * @throws CommandError
 */
export function refuseExisting(path: string | undefined): void {
  if (path !== undefined && existsSync(path))
    throw new CommandError(`${path} already exists`, 'name a new file')
}

/** @param path undefined: to standard output @throws CommandError when it cannot be written */
export async function writePlan(
  path: string | undefined,
  kind: PlanKind,
  lines: readonly string[],
  io: Io,
): Promise<void> {
  const parts = [firstLine + kind, ...lines, lastLine].map((line) => `${line}\n`)
  if (path === undefined) {
    io.stdout.write(parts.join(''))
    return
  }
  const partial = `${path}.partial`
  try {
    const file = await open(partial, 'w', 0o600)
    try {
      await file.writeFile(parts.join(''))
      await file.sync()
    } finally {
      await file.close()
    }
    refuseExisting(path)
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    if (error instanceof CommandError) throw error
    throw writeFault(path, error)
  }
}

/** Of a new file: what does not exist is its directory. */
function writeFault(path: string, error: unknown): CommandError {
  const isNoDirectory = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  if (isNoDirectory) return new CommandError(`there is no directory ${dirname(path)}`)
  return fileFault(path, error, 'write to')
}

export interface ReadPlan {
  readonly kind: PlanKind
  /** Digest of the contents. */
  readonly digest: string
  readonly count: number
  /** Its lines, except for the first and the last. */
  readonly lines: () => AsyncIterable<string>
}

/**
 * Reads all of it before any change.
 *
 * @param isOfPlan whether a line belongs to a plan of this kind
 * @throws CommandError it is not a plan, or half of one
 */
export async function readPlan(
  path: string,
  isOfPlan: (kind: PlanKind, line: string) => boolean,
): Promise<ReadPlan> {
  const digest = createHash('sha256')
  let kind: PlanKind | undefined
  let [number, count, last] = [0, 0, '']
  let wrong: number | undefined
  for await (const line of rawLines(path)) {
    digest.update(`${line}\n`)
    number++
    if (last === lastLine) throw new CommandError(`${path} continues after its last line`, makeAnew)
    last = line
    if (number === 1) kind = kindIn(path, line)
    else if (kind !== undefined && !isRemark(line) && !isOfPlan(kind, line)) wrong ??= number
    if (!isRemark(line)) count++
  }
  if (kind === undefined) throw new CommandError(`${path} is empty`, makeAnew)
  if (wrong !== undefined && wrong < number)
    throw new CommandError(`${path}: line ${wrong} does not belong to a plan`, makeAnew)
  if (last !== lastLine)
    throw new CommandError(`${path} is incomplete: its last line is not "${lastLine}"`, makeAnew)
  const lines = async function* () {
    for await (const line of rawLines(path)) if (!isRemark(line)) yield line
  }
  return { kind, digest: digest.digest('hex'), count, lines }
}

/** An operator's, or the first and the last line. */
const isRemark = (line: string): boolean => line.startsWith('#')

const makeAnew = 'make a new one with pinwarden pins plan'

function kindIn(path: string, line: string): PlanKind {
  const kind = line.slice(firstLine.length)
  if (line.startsWith(firstLine) && kinds.includes(kind)) return kind as PlanKind
  throw new CommandError(`${path} is not a plan of this release`, makeAnew)
}

async function* rawLines(path: string): AsyncGenerator<string> {
  try {
    yield* linesOf(createReadStream(path))
  } catch (error) {
    throw fileFault(path, error, 'read')
  }
}

/**
 * Number of lines done; 0 when the progress is of something else.
 * @param of what is done: contents, ledger and direction
 */
export async function readDone(path: string, of: string, io: Io): Promise<number> {
  const text = await readFile(doneOf(path), 'utf8').catch(() => '')
  if (text === '') return 0
  if (text.startsWith(`${of} `)) return Number(text.slice(of.length)) || 0
  const other = 'belongs to another plan, ledger or direction'
  io.stderr.write(`${doneOf(path)} ${other}: this one begins with its first line\n`)
  return 0
}

/** @throws CommandError when it cannot be written */
export async function keepDone(path: string, of: string, count: number): Promise<void> {
  // Another command may apply the plan, too.
  const partial = `${doneOf(path)}.${randomUUID()}`
  try {
    await writeFile(partial, `${of} ${count}\n`)
    await rename(partial, doneOf(path))
  } catch (error) {
    await rm(partial, { force: true })
    throw writeFault(doneOf(path), error)
  }
}

const doneOf = (path: string): string => `${path}.done`
