/** Lines as they come: of a file that grows and that logrotate may move, or of a stream. */
import { spawn } from 'node:child_process'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { LineSplitter } from '../../text/line-splitter.js'

const lookMs = 250
const blockBytes = 65_536

/** A line beyond it is cut in two: it was not written as one. */
export const lineBytesMax = 1024 * 1024

/** Text in parts of any size → its lines, the last also without its end. */
export async function* linesOf(
  parts: AsyncIterable<unknown> | Iterable<unknown>,
): AsyncGenerator<string> {
  const lines = new LineSplitter()
  for await (const part of parts) yield* textLines(lines, part as Buffer)
  if (lines.restBytes > 0) yield textOf(lines.takeRest())
}

/**
 * Aborts when the reader of this process' standard output is gone, also while nothing is written:
 * `tail` of coreutils polls for that, which Node cannot. Where it is not installed, the next line
 * shows it.
 */
export function watchReader(): { readonly signal: AbortSignal } & Disposable {
  const left = new AbortController()
  const args = ['-f', `--pid=${process.pid}`, '/dev/null']
  const watcher = spawn('tail', args, { stdio: ['ignore', 1, 'ignore'] })
  watcher.on('error', () => undefined)
  watcher.on('exit', (_code, signal) => {
    if (signal === 'SIGPIPE') left.abort()
  })
  return { signal: left.signal, [Symbol.dispose]: () => void watcher.kill() }
}

/** Continues with a new file that replaces it, and from the start if it shrank. */
export async function* followFile(
  path: string,
  from: number,
  signal = new AbortController().signal,
): AsyncGenerator<string> {
  let file = await open(path, 'r')
  let lines = new LineSplitter()
  let position = from
  try {
    while (!signal.aborted) {
      for await (const block of blocksFrom(file, position)) {
        position += block.length
        yield* textLines(lines, block)
      }
      const next = await successor(file, path, position)
      if (next !== undefined) {
        if (next !== file) await file.close()
        file = next
        lines = new LineSplitter()
        position = 0
      }
      await setTimeout(lookMs, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    await file.close()
  }
}

async function* blocksFrom(file: FileHandle, from: number): AsyncGenerator<Buffer> {
  for (let position = from; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** The file to continue with from its start, if there is one. */
async function successor(
  file: FileHandle,
  path: string,
  position: number,
): Promise<FileHandle | undefined> {
  const own = await file.stat()
  const there = await stat(path).catch(() => undefined)
  // Between two files of a rotation there may be none.
  if (there === undefined) return undefined
  if (there.ino !== own.ino || there.dev !== own.dev) return open(path, 'r').catch(() => undefined)
  return own.size < position ? file : undefined
}

function* textLines(lines: LineSplitter, chunk: Buffer): Generator<string> {
  for (const line of lines.take(chunk)) yield textOf(line)
  if (lines.restBytes > lineBytesMax) yield textOf(lines.takeRest())
}

/** Without what editors of Windows put before the first line and behind each. */
const textOf = (line: Buffer): string => new TextDecoder().decode(line).replace(/\r$/, '')
