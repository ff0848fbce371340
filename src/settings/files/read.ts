/** Reads the text of the configuration file; its errors are sentences. */
import type { BigIntStats } from 'node:fs'
import { constants, open, type FileHandle } from 'node:fs/promises'
import { kindOf, refusal } from '../../disk/refusal.js'
import { ConfigError } from '../problems.js'
import { utf8Text } from './text.js'

export interface ConfigFile {
  readonly text: string
  /** Its state at the time of the read. */
  readonly stat: BigIntStats
}

/** About four times the size of a file with the most encoders. */
const bytesMax = 128 * 1024 * 1024

/** Path of the file while an edit replaces it. */
export const formerPath = (path: string): string => `${path}.former`

export async function readConfig(path: string): Promise<ConfigFile> {
  const file = await openConfig(path).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  try {
    return await contentOf(file, path)
  } finally {
    await file.close()
  }
}

async function openConfig(path: string): Promise<FileHandle> {
  // Nonblocking, so that even a pipe cannot block the daemon.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  for (const each of [path, formerPath(path)])
    try {
      return await open(each, flags)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  return open(path, flags)
}

async function contentOf(file: FileHandle, path: string): Promise<ConfigFile> {
  const stat = await file.stat({ bigint: true })
  if (!stat.isFile())
    throw wrong(
      'no regular file',
      'a readable JSON file',
      `${path} is ${kindOf(stat)}, and not a file`,
    )
  if (stat.size > bytesMax) throw wrong(`${stat.size.toString()} bytes`, `at most ${bytesMax}`)
  const bytes = await file.readFile()
  const text = utf8Text(bytes)
  if (text === undefined) throw wrong('bytes that are not UTF-8', 'text in UTF-8')
  return { text, stat }
}

function unreadable(path: string, error: unknown): ConfigError {
  const { code = 'an error' } = error as NodeJS.ErrnoException
  const hint = code === 'ENOENT' ? 'pinwarden init writes one' : undefined
  const found = { ENOENT: 'no such file', EACCES: 'no permission to read it' }[code] ?? code
  return wrong(found, 'a readable JSON file', refusal(path, code), hint)
}

function wrong(found: string, expected: string, says?: string, hint?: string): ConfigError {
  return new ConfigError([{ path: '', found, expected, ...(says && { says }) }], hint)
}
