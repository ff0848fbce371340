/** Why this user may not use a file or a directory, with the command that mends it. */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs'
import { constants as system } from 'node:os'
import { dirname, resolve } from 'node:path'
import { getSystemErrorMessage } from 'node:util'

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

/** Of a link; it may be missing. @returns undefined: the path is not a link */
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

const kindOf = (stat: Stats): string =>
  stat.isDirectory()
    ? 'a directory'
    : stat.isFIFO()
      ? 'a pipe'
      : stat.isSocket()
        ? 'a socket'
        : 'a device'

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

/** Root may write there, and in proc a new directory is tried for ever. */
const kernelFault = (path: string): string | undefined =>
  kernelTypes.has(statfsSync(path).type)
    ? `${path} is on a file system of the kernel, which keeps no files`
    : undefined

/** @returns undefined: an empty file has its place there */
export function fullFault(directory: string): string | undefined {
  const { files, ffree } = statfsSync(directory)
  return files > 0 && ffree === 0 ? refusal(directory, 'ENOSPC') : undefined
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

type Verb = 'read' | 'write to' | 'enter'

/** @param code of the error of opening it */
export function refusal(path: string, code: string, verb: Verb = 'read'): string {
  if (code === 'ENOENT') return `${path} does not exist`
  if (code === 'EISDIR') return `${path} is a directory`
  if (code === 'ENOTDIR') return `${notDirectory(path)} is not a directory`
  if (code === 'EROFS') return `${path} is on a file system that is read-only`
  if (code === 'ENOSPC') return `${path} is on a file system that is full`
  if (code === 'ELOOP') return `${path} is a link that leads back to itself`
  if (code === 'ENAMETOOLONG') return `${path} is too long: a name may have 255 bytes, a path 4095`
  if (code === 'ENXIO') return noReader(path)
  if (code === 'EPERM' && process.geteuid?.() === 0)
    return `${path} is protected against changes: lsattr -d ${path} shows how`
  if (code !== 'EACCES' && code !== 'EPERM') return `${path} cannot be used: ${systemText(code)}`
  const shut = above(path).find((directory) => isShut(directory))
  const [place, word]: [string, Verb] = shut === undefined ? [path, verb] : [shut, 'enter']
  const stat = statSync(place, { throwIfNoEntry: false })
  const may = `user ${userName()} may not ${word} ${place}`
  return stat === undefined ? may : `${may} (${ownersOf(stat)}); try ${remedy(place, stat, word)}`
}

function noReader(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isFIFO() === true) return `${path} is a pipe that no program reads from`
  return `${path} is ${stat === undefined ? 'missing' : `${kindOf(stat)}, and not a file`}`
}

/** @param code such as EIO */
export function systemText(code: string): string {
  const number = new Map<string, number>(Object.entries(system.errno)).get(code)
  return number === undefined ? code : `${getSystemErrorMessage(-number)} (${code})`
}

const above = (path: string): string[] =>
  path === dirname(path) ? [] : [...above(dirname(path)), dirname(path)]

function isShut(directory: string): boolean {
  try {
    accessSync(directory, X_OK)
    return false
  } catch {
    return true
  }
}

/** The first directory of the path that denies access. */
const notDirectory = (path: string): string =>
  [...above(path), path].find(
    (place) => statSync(place, { throwIfNoEntry: false })?.isDirectory() === false,
  ) ?? path

/** Suggests the group, so that the owner stays the same. */
function remedy(path: string, { gid, mode }: Stats, verb: Verb): string {
  const group = process.getgid?.() ?? 0
  const [bits, letters] =
    verb === 'enter' ? [0o010, 'x'] : verb === 'write to' ? [0o020, 'w'] : [0o040, 'r']
  const change = gid === group ? [] : [`chgrp ${nameIn('/etc/group', group)} ${path}`]
  const grant = (mode & bits) === 0 ? [`chmod g+${letters} ${path}`] : []
  return [...change, ...grant].join(' && ') || 'another owner for it'
}

const ownersOf = ({ uid, gid, mode }: Stats): string =>
  `${nameIn('/etc/passwd', uid)}:${nameIn('/etc/group', gid)} ` +
  (mode & 0o7777).toString(8).padStart(4, '0')

const userName = (): string => nameIn('/etc/passwd', process.geteuid?.() ?? 0)

/** The number, where /etc/passwd has no name: other sources would have to be asked. */
function nameIn(file: string, id: number): string {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.find((line) => line.split(':')[2] === String(id))?.split(':')[0] ?? String(id)
  } catch {
    return String(id)
  }
}

const codeIn = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'an error'
