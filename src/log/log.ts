/** The log: one JSON object a line, written without ever making a request wait. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import pino, { type Level, type Logger } from 'pino'
import { countLines, LogBatch } from './log-batch.js'
import type { LogConfig } from '../settings/schema/schema.js'

/** Lines beside those of requests: fields first, then a sentence. */
type Line = (fields: object, message: string) => void

export interface Log {
  /** The one line of a request. */
  access(level: Level, line: object): void
  /** An error that is ours, whole; the id names the request it hit. */
  bug(error: unknown, id?: string): void
  readonly info: Line
  readonly warn: Line
  readonly error: Line
  readonly fatal: Line
  /** Lines lost so far because the sink stalled. */
  readonly dropped: number
  /** Least severe lines that are written from now on. */
  setLevel(level: LogConfig['level']): void
  /** Opens the log file anew, after logrotate moved it; standard output stays as it is. */
  reopen(): void
  /** Writes what is left; resolves after a second at the latest: a stalled sink holds nobody. */
  close(): Promise<void>
}

const closeMs = 1000

/**
 * Opens the log. Lines go through a buffer in memory to a sink that is written asynchronously; when
 * the sink stalls and the buffer is full, lines are dropped and counted.
 *
 * @param descriptor where lines go when the configuration names no file
 * @throws when the log file cannot be opened
 */
export async function openLog(config: LogConfig, descriptor = 1): Promise<Log> {
  if (config.file !== undefined) await tryOut(config.file)
  const sink = pino.destination({
    dest: config.file ?? descriptor,
    sync: false,
    minLength: 0,
    maxLength: config.bufferBytesMax,
    mkdir: false,
    ...(config.file !== undefined && { mode: 0o640 }),
  })
  if (config.file !== undefined) await opened(sink)

  let dropped = 0
  let closing: Promise<void> | undefined
  const batch = new LogBatch((lines) => {
    if (closing === undefined) sink.write(lines)
  })
  const logger = pino(
    {
      level: config.level,
      base: null,
      timestamp: isoTime(),
      formatters: { level: (label) => ({ level: label }) },
    },
    batch,
  )
  sink.on('drop', (lines: string) => {
    dropped += countLines(lines)
  })
  // A reader that went away (EPIPE) or a full disk must not end the daemon; its lines are lost.
  sink.on('error', () => {
    dropped++
  })
  sink.on(
    'drain',
    reportDrops(logger, () => dropped),
  )

  return {
    access: (level, line) => {
      logger[level](line, 'request')
    },
    bug: (error, id) => {
      logger.error({ err: error, ...(id !== undefined && { id }) }, 'bug')
    },
    ...linesOf(logger),
    get dropped() {
      return dropped
    },
    setLevel: (level) => {
      logger.level = level
    },
    reopen: () => {
      batch.flush()
      if (config.file !== undefined) sink.reopen()
    },
    close: () => {
      batch.flush()
      return (closing ??= closed(sink))
    },
  }
}

/** As pino's own, but that many lines fall into one millisecond, and spelling it out is dear. */
function isoTime(): () => string {
  let spelledMs = NaN
  let field = ''
  return () => {
    const nowMs = Date.now()
    if (nowMs !== spelledMs) field = `,"time":"${new Date(nowMs).toISOString()}"`
    spelledMs = nowMs
    return field
  }
}

type Sink = ReturnType<typeof pino.destination>

const linesOf = (logger: Logger): Pick<Log, 'info' | 'warn' | 'error' | 'fatal'> => ({
  info: (fields, message) => {
    logger.info(fields, message)
  },
  warn: (fields, message) => {
    logger.warn(fields, message)
  },
  error: (fields, message) => {
    logger.error(fields, message)
  },
  fatal: (fields, message) => {
    logger.fatal(fields, message)
  },
})

const opened = (sink: Sink): Promise<void> =>
  new Promise((resolve, reject) => {
    sink.once('ready', resolve)
    sink.once('error', reject)
  })

/**
 * Pino writes what is left when the process ends, and throws where its file never came to be open.
 *
 * @throws when the file cannot be written; that of a FIFO without a reader is ENXIO
 */
async function tryOut(file: string): Promise<void> {
  const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants
  const handle = await open(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640)
  await handle.close()
}

/** Says once, when the sink takes lines again, how many were lost. */
function reportDrops(logger: Logger, dropped: () => number): () => void {
  let reported = 0
  return () => {
    const lost = dropped() - reported
    if (lost === 0) return
    reported += lost
    logger.warn({ lost }, 'log lines were dropped: the sink stalled')
  }
}

function closed(sink: Sink): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(resolve, closeMs)
    sink.once('close', () => {
      clearTimeout(giveUp)
      resolve()
    })
    sink.end()
  })
}
