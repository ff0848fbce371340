/** Edits the configuration file: no reader ever sees half of it, and no change is lost. */
import type { BigIntStats } from 'node:fs'
import { lstat, open, realpath, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { syncDirectory } from '../../disk/sync-directory.js'
import { configFrom } from '../load.js'
import { readConfig } from '../files/read.js'
import type { Config } from '../schema/schema.js'
import { withoutBom } from '../files/text.js'
import { dropFormer, restoreFormer, swapIn } from './swap.js'

/** The edit changed nothing, for a reason outside the file's contents. */
export class EditError extends Error {
  override readonly name = 'EditError'
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

/**
 * Replaces the file's text by `change` of it; the result must be a valid configuration.
 *
 * The lock is the new file itself, as in git: the process that creates `….lock` may edit, others
 * wait. Other editors ignore the lock, and the edit never overwrites what they write meanwhile.
 * Mode and owner stay.
 *
 * @param onKept called with the path of a copy: another program wrote into the old file after it
 *   was replaced, or an edit was killed before its end
 */
export async function editConfig(
  path: string,
  change: (text: string, before: Config) => string,
  onKept: (copy: string) => void = () => undefined,
  waitMs = 10_000,
): Promise<Config> {
  // Replaces the file behind a symbolic link, never the link.
  const target = await realpath(path).catch(() => path)
  const lock = `${target}.lock`
  const file = await lockedFor(target, lock, performance.now() + waitMs)
  try {
    const left = restoreFormer(target)
    if (left !== undefined) onKept(left)
    const before = await readConfig(target)
    const text = changed(before.text, (plain) => change(plain, configFrom(plain)))
    const config = configFrom(text)
    await write(file, text, before.stat)
    const { isReplaced, kept } = swapIn(lock, target, before)
    if (!isReplaced) throw touched(target, kept)
    await syncDirectory(dirname(target))
    const copy = dropFormer(target, before)
    if (copy !== undefined) onKept(copy)
    return config
  } finally {
    await release(file, lock)
  }
}

/** Keeps a lock that is another editor's by now: without links, a move took its name. */
async function release(file: FileHandle, lock: string): Promise<void> {
  const [own, there] = await Promise.all([
    file.stat({ bigint: true }),
    stat(lock, { bigint: true }).catch(() => undefined),
  ])
  await file.close()
  if (there?.ino === own.ino) await rm(lock, { force: true })
}

function touched(target: string, kept: string | undefined): EditError {
  const hint = 'nothing was written: try again'
  const aside = kept === undefined ? '' : `; what was there before the last change is in ${kept}`
  return new EditError(`${target} was changed meanwhile`, hint + aside)
}

async function lockedFor(target: string, lock: string, endMs: number): Promise<FileHandle> {
  try {
    return await open(lock, 'wx', 0o600)
  } catch (error) {
    const { code = 'an error' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && performance.now() < endMs && (await isInUse(lock))) {
      await setTimeout(againMs)
      return lockedFor(target, lock, endMs)
    }
    if (code === 'EEXIST')
      throw new EditError(
        `${target} is being edited: ${lock} exists`,
        `if no other pinwarden is changing it, one was cut off: delete ${lock} and try again`,
      )
    // If the directory is missing, a message about the file is the better one.
    if (code === 'ENOENT') await readConfig(target)
    throw new EditError(
      `cannot create ${lock}: ${code}`,
      'the new file is written beside the old one: run this as a user who may write there',
    )
  }
}

const againMs = 50

/** No edit takes this long; an edit that was killed leaves its lock behind. */
const editMs = 10_000

async function isInUse(lock: string): Promise<boolean> {
  const found = await lstat(lock).catch(() => undefined)
  // Undefined: its holder released the lock just now.
  return found === undefined || (found.isFile() && Math.abs(Date.now() - found.mtimeMs) < editMs)
}

function changed(text: string, change: (text: string) => string): string {
  const plain = withoutBom(text)
  return text.slice(0, text.length - plain.length) + change(plain)
}

async function write(file: FileHandle, text: string, like: BigIntStats): Promise<void> {
  await file.writeFile(text)
  const own = await file.stat({ bigint: true })
  if (own.uid !== like.uid || own.gid !== like.gid)
    await file.chown(Number(like.uid), Number(like.gid)).catch(() => {
      throw new EditError("cannot keep the file's owner and group", 'run this as root or its owner')
    })
  // Follows chown, which clears bits of the mode.
  await file.chmod(Number(like.mode & 0o7777n))
  await file.sync()
}
