/** `pinwarden report`: what is, and would be, refused to whom; from the log, to decide upon. */
import { createReadStream } from 'node:fs'
import { KeyedCounter } from '../collections/keyed-counter.js'
import type { Io } from './io.js'
import { configuredLog, type LogLine, readLogLine } from './log-file.js'
import { table } from './text-table.js'
import { linesOf } from './tail/follow.js'

export interface ReportOptions {
  readonly configPath: string
  /** Log file; `-` is standard input, undefined the one that the configuration names. */
  readonly file: string | undefined
  readonly json: boolean
}

/** Where the log is systemd's. */
const journal = 'journalctl -u pinwarden -o cat | pinwarden report -'

interface Sum {
  requests: number
  /** By reason, of which a log may have any; so the next. */
  readonly refused: KeyedCounter
  readonly wouldRefuse: KeyedCounter
}

export async function reportRefusals(options: ReportOptions, io: Io): Promise<number> {
  const { file = await configuredLog(options.configPath, journal), json } = options
  const lines = linesOf(file === '-' ? (io.stdin ?? []) : createReadStream(file))
  const sums = new Map<string, Sum>()
  let [first, last] = ['', '']
  for await (const text of lines) {
    const line = readLogLine(text)
    if (line?.msg !== 'request') continue
    if (first === '') first = line.time ?? ''
    last = line.time ?? last
    add(sums, line)
  }
  const rows = [...sums].sort(([one], [other]) => (one < other ? -1 : 1))
  if (json) {
    const encoders = rows.map(([encoder, { requests, refused, wouldRefuse }]) => ({
      encoder,
      requests,
      refused: Object.fromEntries(refused),
      wouldRefuse: Object.fromEntries(wouldRefuse),
    }))
    io.stdout.write(`${JSON.stringify({ from: first, to: last, encoders }, null, 2)}\n`)
    return 0
  }
  const cells = rows.map(([encoder, { requests, refused, wouldRefuse }]) => [
    encoder,
    String(requests),
    wordsOf(wouldRefuse),
    wordsOf(refused),
  ])
  io.stdout.write(table(['ENCODER', 'REQUESTS', 'WOULD BE REFUSED', 'REFUSED'], cells))
  io.stderr.write(first === '' ? 'there are no requests in it\n' : `from ${first} to ${last}\n`)
  return 0
}

function add(sums: Map<string, Sum>, { encoder = '(nobody known)', ...line }: LogLine): void {
  let sum = sums.get(encoder)
  if (sum === undefined) {
    sum = { requests: 0, refused: new KeyedCounter(), wouldRefuse: new KeyedCounter() }
    sums.set(encoder, sum)
  }
  sum.requests++
  const { outcome, reason = '', wouldRefuse } = line
  if (outcome === 'refused') sum.refused.add(reason)
  if (wouldRefuse !== undefined) sum.wouldRefuse.add(wouldRefuse)
}

const wordsOf = (counts: KeyedCounter): string =>
  [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ') || '-'
