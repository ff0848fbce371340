/** Explains an operation that the system refused, with the command that fixes it. */
import { accessSync, constants, readFileSync, type Stats, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { getSystemErrorMap } from 'node:util'

export type Verb = 'read' | 'write to' | 'enter'

/** @param code of the error of opening it */
export function refusal(path: string, code: string, verb: Verb = 'read'): string {
  if (code === 'ENOENT') return `${path} does not exist`
  if (code === 'EISDIR') return `${path} is a directory`
  if (code === 'ENOTDIR') return `${notDirectory(path)} is not a directory`
  if (code === 'EROFS') return `${path} is on a file system that is read-only`
  if (code === 'ENOSPC') return `${path} is on a file system that is full: df -h and df -i show it`
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

/**
 * The probe, which says it too, runs under Node 18: that has the map, and no message for one code.
 * @param code such as EIO
 */
export function systemText(code: string): string {
  const known = [...getSystemErrorMap().values()].find(([name]) => name === code)
  return known === undefined ? code : `${known[1]} (${code})`
}

const above = (path: string): string[] =>
  path === dirname(path) ? [] : [...above(dirname(path)), dirname(path)]

function isShut(directory: string): boolean {
  try {
    accessSync(directory, constants.X_OK)
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

/** Such as "a pipe". */
export const kindOf = (stat: Pick<Stats, 'isDirectory' | 'isFIFO' | 'isSocket'>): string =>
  stat.isDirectory()
    ? 'a directory'
    : stat.isFIFO()
      ? 'a pipe'
      : stat.isSocket()
        ? 'a socket'
        : 'a device'
