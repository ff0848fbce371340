/**
 * Replaces a file that other programs may edit at any moment. A rename over it would drop what they
 * wrote just before, and POSIX has no exchange. So this moves the old file aside, compares it, and
 * links the new one, which fails if the path is taken. Each step is atomic and overwrites nothing.
 * Between the steps readers take the file that was moved aside.
 */
import { existsSync, linkSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { type ConfigFile, formerPath } from '../files/read.js'

/** Either the old file is kept next to the new one until {@link dropFormer}, or nothing changed. */
export interface Swapped {
  readonly isReplaced: boolean
  /** Path of another program's edit that was kept, as a third program took its place. */
  readonly kept?: string | undefined
}

/** Completes an edit that was killed half-way. @returns path of the copy that it kept, if any */
export function restoreFormer(target: string): string | undefined {
  const former = formerPath(target)
  return existsSync(former) ? putBack(former, target) : undefined
}

/**
 * @param next path of the new file; stays, as a second name
 * @param seen the contents that the edit began with
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

/** @returns path of the copy, if a program with the file open wrote into it meanwhile */
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

/** @returns false: another file has the path */
function takePlace(file: string, place: string): boolean {
  try {
    linkSync(file, place)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    // The file system has no links, or this user may not link to another user's file.
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
