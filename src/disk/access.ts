/** Why this user may not use a file or a directory. */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { kindOf, refusal, type Verb } from './refusal.js'

const { O_APPEND, O_NONBLOCK, O_WRONLY, R_OK, W_OK, X_OK } = constants

/** @returns undefined: the file can be read */
export function readFault(path: string): string | undefined {
  return faultOf(path, 'read', () => {
    accessSync(path, R_OK)
    return undefined
  })
}

/**
 * Creates nothing.
 * @returns undefined: the file can be appended to, or created in its directory
 */
export function appendFault(path: string): string | undefined {
  try {
    const file = openSync(path, O_WRONLY | O_APPEND | O_NONBLOCK)
    try {
      const stat = fstatSync(file)
      if (stat.isBlockDevice()) return `${path} is ${kindOf(stat)}, and not a file`
      return stat.isFile() ? kernelFault(path) : undefined
    } finally {
      closeSync(file)
    }
  } catch (error) {
    const code = codeIn(error)
    if (code === 'ENOENT') return newFileFault(path)
    return refusal(path, code, 'write to')
  }
}

function newFileFault(path: string): string | undefined {
  const target = targetOf(path)
  const directory = dirname(target ?? path)
  return directoryFault(directory) ?? fullFault(directory)
}

/** The target of a link; it may be missing. @returns undefined: the path is not a link */
function targetOf(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat?.isSymbolicLink() === true ? resolve(dirname(path), readlinkSync(path)) : undefined
}

/** @returns undefined: the path is free, or is that of a file, and no directory, pipe or device */
export function notFileFault(path: string): string | undefined {
  return faultOf(path, 'read', () => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return linkFault(path)
    return stat.isFile() ? undefined : `${path} is ${kindOf(stat)}, and not a file`
  })
}

function linkFault(path: string): string | undefined {
  const target = targetOf(path)
  return target === undefined ? undefined : `${path} links to ${target}, which does not exist`
}

/** @returns undefined: the directory exists, and files can be created in it */
export function directoryFault(path: string): string | undefined {
  return faultOf(path, 'write to', () => {
    if (!statSync(path).isDirectory()) throw new NotDirectory()
    const fault = kernelFault(path)
    if (fault === undefined) accessSync(path, W_OK | X_OK)
    return fault
  })
}

/** @returns undefined: the directory exists, or can be created with its parents */
export function newDirectoryFault(path: string): string | undefined {
  return faultOf(path, 'write to', () => {
    const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined
    if (isThere || path === dirname(path)) return directoryFault(path)
    return linkFault(path) ?? newDirectoryFault(dirname(path))
  })
}

/** File systems through which the kernel shows itself, by the type that statfs(2) has for them. */
const kernelTypes = new Set([
  ...[0x9fa0, 0x62656572, 0x1cd1, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673],
  ...[0xcafe4a11, 0x6165676c, 0xde5e81e4, 0x62656570, 0x19800202, 0x65735543, 0x42494e4d],
  ...[0xf97cff8c, 0x958458f6],
])

/** Root may write there, and in proc creating a directory never succeeds. */
const kernelFault = (path: string): string | undefined =>
  kernelTypes.has(statfsSync(path).type)
    ? `${path} is on a file system of the kernel, which keeps no files`
    : undefined

/** @returns undefined: an empty file has its place there */
export function fullFault(directory: string): string | undefined {
  const { files, ffree } = statfsSync(directory)
  const isOut = files > 0 && ffree === 0
  return isOut ? `${directory} is on a file system without free inodes: df -i shows it` : undefined
}

/** So much, and half of a small disk, is for the ledger and its reserve. */
const spareBytes = 8 * 1024 ** 2

/** @returns undefined: a file can be created there, and has space */
export function roomFault(directory: string): string | undefined {
  const fault = directoryFault(directory) ?? fullFault(directory)
  if (fault !== undefined) return fault
  const { blocks, bavail, bsize } = statfsSync(directory)
  const free = bavail * bsize
  if (free >= Math.min(spareBytes, (blocks * bsize) / 2)) return undefined
  const left = `${Math.floor(free / 1024 ** 2)} MiB left`
  return `${directory} is on a file system with ${left}: df -h shows it`
}

class NotDirectory extends Error {
  readonly code = 'ENOTDIR'
}

function faultOf(path: string, verb: Verb, use: () => string | undefined): string | undefined {
  try {
    return use()
  } catch (error) {
    return refusal(path, codeIn(error), verb)
  }
}

const codeIn = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'an error'
