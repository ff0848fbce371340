/** Reads the text of the configuration file, and says in words why it cannot. */
import type { BigIntStats } from 'node:fs'
import { constants, open, type FileHandle } from 'node:fs/promises'
import { ConfigError } from '../problems.js'
import { utf8Text } from './text.js'

export interface ConfigFile {
  readonly text: string
  /** In the moment of reading. */
  readonly stat: BigIntStats
}

/** About four times what the most encoders that a file may have need. */
const bytesMax = 128 * 1024 * 1024

/** Where the file is for the moment in which an edit puts another one in its place. */
export const formerPath = (path: string): string => `${path}.former`

export async function readConfig(path: string): Promise<ConfigFile> {
  const file = await openConfig(path).catch(unreadable)
  try {
    return await contentOf(file)
  } finally {
    await file.close()
  }
}

async function openConfig(path: string): Promise<FileHandle> {
  // Not blocking, so that even a pipe does not block.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  for (const each of [path, formerPath(path)])
    try {
      return await open(each, flags)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  return open(path, flags)
}

async function contentOf(file: FileHandle): Promise<ConfigFile> {
  const stat = await file.stat({ bigint: true })
  if (!stat.isFile()) throw wrong('no regular file')
  if (stat.size > bytesMax) throw wrong(`${stat.size.toString()} bytes`, `at most ${bytesMax}`)
  const bytes = await file.readFile()
  const text = utf8Text(bytes)
  if (text === undefined) throw wrong('bytes that are no UTF-8', 'text in UTF-8')
  return { text, stat }
}

function unreadable(error: unknown): never {
  const { code = 'an error' } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') throw wrong('no such file', undefined, 'pinwarden init writes one')
  throw wrong(code === 'EACCES' ? 'no permission to read it' : code)
}

function wrong(found: string, expected = 'a readable JSON file', hint?: string): ConfigError {
  return new ConfigError([{ path: '', found, expected }], hint)
}
