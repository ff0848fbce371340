/** Reads the files that the configuration names, and collects their problems. */
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { refusal, systemText } from '../../disk/refusal.js'
import { pathText, type Problem, type Segment, shownPath } from '../problems.js'
import { utf8Text, withoutBom } from './text.js'

export interface NamedFiles {
  readonly problems: Problem[]
  readonly warnings: string[]
  /** Field → digest of its file's content, for all files read. */
  readonly digests: Map<string, string>
  report(segments: readonly Segment[], found: string, expected: string, says?: string): void
  /**
   * @param segments the field that names the file
   * @returns undefined: the file is unreadable, which becomes a problem
   */
  read(file: string, segments: readonly Segment[], secret: boolean): Buffer | undefined
}

/** No problem shows contents, or a path that may be a pasted secret. */
export function namedFilesIn(baseDir: string): NamedFiles {
  const problems: Problem[] = []
  const warnings: string[] = []
  const digests = new Map<string, string>()
  const report: NamedFiles['report'] = (segments, found, expected, says) => {
    problems.push({ path: pathText(segments), found, expected, ...(says && { says }) })
  }
  const read = (file: string, segments: readonly Segment[], secret: boolean) => {
    const expected = `a readable file; relative paths start at ${baseDir}`
    try {
      const { bytes, mode } = contentOf(file)
      if (secret && (mode & 0o004) !== 0)
        warnings.push(`${pathText(segments)}: the file is readable by everybody`)
      if (bytes !== undefined) {
        digests.set(pathText(segments), createHash('sha256').update(bytes).digest('hex'))
        return bytes
      }
      const shown = shownPath(file, baseDir)
      const name = shown ?? 'the file that it names'
      const says = `${name} is not a regular file, or is larger than 1 MiB`
      report(segments, 'no regular file, or a very large one', expected, says)
    } catch (error) {
      const { code = 'an error' } = error as NodeJS.ErrnoException
      const shown = shownPath(file, baseDir)
      const says =
        shown === undefined
          ? `the file that it names cannot be read: ${systemText(code)}`
          : refusal(shown, code)
      report(segments, code === 'ENOENT' ? 'no such file (ENOENT)' : code, expected, says)
    }
    return undefined
  }
  return { problems, warnings, digests, report, read }
}

const bytesMax = 1_048_576

/** Without bytes if it is not a regular file: opened so that even a pipe does not block. */
function contentOf(path: string): { readonly bytes: Buffer | undefined; readonly mode: number } {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(file)
    const fit = stat.isFile() && stat.size <= bytesMax
    return { bytes: fit ? readFileSync(file) : undefined, mode: stat.mode }
  } finally {
    closeSync(file)
  }
}

const passwordLengthMax = 1024

/** The file's text without its line end and its byte order mark. */
export function readPassword(
  files: NamedFiles,
  file: string,
  path: readonly Segment[],
): string | undefined {
  const bytes = files.read(file, path, true)
  if (bytes === undefined) return undefined
  const text = utf8Text(bytes)
  const password = text && withoutBom(text).replace(/\r?\n$/, '')
  if (
    password !== undefined &&
    password !== '' &&
    password.length <= passwordLengthMax &&
    !/[\r\n\0]/.test(password)
  )
    return password
  const found =
    password === undefined
      ? 'bytes that are not UTF-8'
      : password === ''
        ? 'an empty file'
        : 'several lines, NUL, or a very long line'
  const expected = `the password alone, at most ${passwordLengthMax} characters in UTF-8`
  files.report(path, found, expected)
  return undefined
}

/** PEM is ASCII; the text around it may have any encoding. */
export const pemText = (bytes: Buffer): string => withoutBom(bytes.toString('utf8'))
