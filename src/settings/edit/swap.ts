/**
 * Puts a new file in the place of one that other programs may edit at any moment. A rename over it
 * would drop what they wrote just before, and POSIX has no exchange: so the old file is moved
 * aside, compared, and the new one linked where nothing may stand. Each of these steps is whole,
 * and overwrites nothing. For the moment between them readers take the file that was moved aside.
 */
import { existsSync, linkSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { type ConfigFile, formerPath } from '../files/read.js'

/** The old file is beside the new one until {@link dropFormer}, or nothing was replaced. */
export interface Swapped {
  readonly isReplaced: boolean
  /** Where what another hand wrote is kept, as yet another one took its place. */
  readonly kept?: string | undefined
}

/** Ends what an edit that was killed in the middle began. @returns where it is kept, if anywhere */
export function restoreFormer(target: string): string | undefined {
  const former = formerPath(target)
  return existsSync(former) ? putBack(former, target) : undefined
}

/**
 * @param next stays, as a second name of the new file
 * @param seen the contents that the new one was made from
 */
export function swapIn(next: string, target: string, seen: ConfigFile): Swapped {
  const former = formerPath(target)
  renameSync(target, former)
  try {
    if (isAs(former, seen)) {
      if (takePlace(next, target)) return { isReplaced: true }
      rmSync(former)
      return { isReplaced: false }
    }
  } catch (error) {
    putBack(former, target)
    throw error
  }
  return { isReplaced: false, kept: putBack(former, target) }
}

/** @returns where it is kept: a program that had it open wrote into it meanwhile */
export function dropFormer(target: string, seen: ConfigFile): string | undefined {
  const former = formerPath(target)
  if (!isAs(former, seen)) return keep(former, target)
  rmSync(former)
  return undefined
}

function isAs(path: string, { text, stat }: ConfigFile): boolean {
  const now = statSync(path, { bigint: true })
  const isSame = now.mode === stat.mode && now.uid === stat.uid && now.gid === stat.gid
  return isSame && readFileSync(path).equals(Buffer.from(text))
}

function putBack(former: string, target: string): string | undefined {
  const isOther = statSync(former).ino !== statSync(target, { throwIfNoEntry: false })?.ino
  if (isOther && !takePlace(former, target)) return keep(former, target)
  rmSync(former, { force: true })
  return undefined
}

/** @returns false: another file stands there */
function takePlace(file: string, place: string): boolean {
  try {
    linkSync(file, place)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    // The file system knows no links, or this user may not make one to a file of another.
    renameSync(file, place)
  }
  return true
}

function keep(former: string, target: string): string {
  let count = 1
  while (existsSync(`${target}.kept-${count}`)) count++
  const kept = `${target}.kept-${count}`
  renameSync(former, kept)
  return kept
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined
