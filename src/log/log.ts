/** The log: one JSON object a line; no request ever waits for it. */
import pino, { type Level, type Logger } from 'pino'
import { printable } from '../text/printable.js'
import type { LogConfig } from '../settings/schema/schema.js'
import type { AccessLine } from './access-line.js'
import { lineText } from './line-text.js'
import { LogSink } from './log-sink.js'

/** A line beside those of requests: fields, then a constant message. */
type Line = (fields: object, message: string) => void

export interface Log {
  /** The one line of a request. */
  access(level: Level, line: AccessLine): void
  /** A bug of the gate, whole; the id names the request that met it. */
  bug(error: unknown, id?: string): void
  readonly info: Line
  readonly warn: Line
  readonly error: Line
  readonly fatal: Line
  /** The buffer of lines. */
  readonly sink: Pick<LogSink, 'dropped' | 'waitingSize' | 'isBehind' | 'onBehind'>
  /** Sets the least severe level that is written from now on. */
  setLevel(level: LogConfig['level']): void
  /**
   * Reopens the log file, after logrotate moved it; standard output stays.
   * @throws when it cannot be opened: lines still go to the old file
   */
  reopen(): Promise<void>
  /** Writes the rest; resolves within a second, as a stalled sink must not delay the stop. */
  close(): Promise<void>
}

const closeMs = 1000
const standardOutput = 1

/**
 * Opens the log. Lines wait in memory until the background writes them. Only when the sink takes
 * nothing and the buffer is full, the log drops and counts lines.
 * @throws when the log file cannot be opened
 */
export async function openLog(config: LogConfig): Promise<Log> {
  const { file, bufferBytesMax, format } = config
  const opened = file === undefined ? standardOutput : await LogSink.open(file)
  const sink = new LogSink(opened, bufferBytesMax, () => {
    reportDrops()
  })
  let closing: Promise<void> | undefined
  const time = isoTime()
  const write = (line: string, isOfStrangers = false): void => {
    if (closing !== undefined) return
    sink.add(format === 'json' ? asPrintable(line) : `${lineText(line, false)}\n`, isOfStrangers)
  }
  const logger = pino(
    {
      level: config.level,
      base: null,
      timestamp: time,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  )
  const reportDrops = dropsReporter(logger, sink)

  return {
    access: (level, line) => {
      // As pino would write it, at two fifths of the cost.
      if (!logger.isLevelEnabled(level)) return
      const fields = JSON.stringify(line).slice(1, -1)
      write(`{"level":"${level}"${time()},${fields},"msg":"request"}\n`, line.encoder === undefined)
    },
    bug: (error, id) => {
      logger.error({ err: error, ...(id !== undefined && { id }) }, 'bug')
    },
    ...linesOf(logger),
    sink,
    setLevel: (level) => {
      logger.level = level
    },
    reopen: async () => {
      if (file !== undefined) await sink.reopen(file)
    },
    close: () => (closing ??= sink.end(closeMs)),
  }
}

/** Like pino's own, but formats each millisecond once: many lines share one. */
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

/** Logs the number of lost lines once, when the sink has taken all others. */
function dropsReporter(logger: Logger, sink: LogSink): () => void {
  let reported = 0
  return () => {
    const lost = sink.dropped - reported
    if (lost === 0) return
    reported += lost
    logger.warn({ lost }, 'dropped log lines: the sink stalled')
  }
}

/** JSON itself escapes only some of what a terminal obeys. Most lines are plain ASCII. */
const asPrintable = (line: string): string => (/[^\n -~]/.test(line) ? printable(line, '\n') : line)
