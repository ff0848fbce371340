/** Why this user may not use a file or a directory, with the command that mends it. */
import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'

const { O_APPEND, O_NONBLOCK, O_WRONLY, R_OK, W_OK, X_OK } = constants

/** @returns undefined: the file can be read */
export function readFault(path: string): string | undefined {
  return faultOf(path, 'read', () => {
    accessSync(path, R_OK)
  })
}

/**
 * Creates nothing.
 * @returns undefined: the file can be appended to, or created in its directory
 */
export function appendFault(path: string): string | undefined {
  try {
    closeSync(openSync(path, O_WRONLY | O_APPEND | O_NONBLOCK))
    return undefined
  } catch (error) {
    const code = codeIn(error)
    if (code === 'ENXIO') return `${path} is a pipe that no program reads from`
    if (code === 'ENOENT') return newFileFault(path)
    return refusal(path, code, 'write to')
  }
}

function newFileFault(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  // A link whose target is missing: appending would create the target.
  const target = stat?.isSymbolicLink() === true ? resolve(dirname(path), readlinkSync(path)) : path
  return directoryFault(dirname(target))
}

/** @returns undefined: the directory exists, and files can be created in it */
export function directoryFault(path: string): string | undefined {
  return faultOf(path, 'write to', () => {
    if (!statSync(path).isDirectory()) throw new NotDirectory()
    accessSync(path, W_OK | X_OK)
  })
}

/** @returns undefined: the directory exists, or can be created with its parents */
export function newDirectoryFault(path: string): string | undefined {
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined
  if (isThere || path === dirname(path)) return directoryFault(path)
  return newDirectoryFault(dirname(path))
}

class NotDirectory extends Error {
  readonly code = 'ENOTDIR'
}

function faultOf(path: string, verb: Verb, use: () => void): string | undefined {
  try {
    use()
    return undefined
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
  if (code !== 'EACCES' && code !== 'EPERM') return `${path} cannot be used (${code})`
  const shut = above(path).find((directory) => isShut(directory))
  const [place, word]: [string, Verb] = shut === undefined ? [path, verb] : [shut, 'enter']
  const stat = statSync(place, { throwIfNoEntry: false })
  const may = `user ${userName()} may not ${word} ${place}`
  return stat === undefined ? may : `${may} (${ownersOf(stat)}); try ${remedy(place, stat, word)}`
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
