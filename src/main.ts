#!/usr/bin/env node
/**
 * The bin: takes the signals, loads the program, and ends with its exit code. It imports nothing
 * statically, so that a Node that is too old reads one sentence and no signal comes too early.
 */
import type { DaemonSignal, TakeSignals } from './daemon/serve.js'

const oldestMajor = 24
const endMs = 500
const lateMs = 1000

if (Number.parseInt(process.versions.node) < oldestMajor) {
  const found = `Node ${process.versions.node} is too old`
  const advice = 'in a checkout, node_modules/.bin/node is new enough after npm ci'
  process.stderr.write(`pinwarden: error: ${found}: it takes ${oldestMajor} or newer; ${advice}\n`)
  process.exit(1)
}

// Without a listener Node opens its inspector at this signal, for all users of this machine.
process.on('SIGUSR1', () => undefined)
closeInspector()

// A reader that leaves early, such as `head`, does not deserve a stack trace.
const reader = new AbortController()
const onOutputFault = ({ code, message }: NodeJS.ErrnoException): void => {
  if (code !== 'EPIPE' && !reader.signal.aborted)
    process.stderr.write(`pinwarden: error: standard output cannot be written: ${message}\n`)
  process.exitCode = 1
  reader.abort()
}
process.stdout.on('error', onOutputFault)
process.stderr.on('error', () => (process.exitCode = 1))

const argv = process.argv.slice(2)
// The other commands end by a signal as any program does.
const takeSignals = argv[0] === 'serve' ? heldSignals() : undefined
const { stderr, stdin, env } = process
const { wholeOutput } = await import('./cli/whole-output.js')
const stdout = wholeOutput(process.stdout, 1, onOutputFault)
const { run } = await import('./cli/cli.js')
// The signal may have come just before the listener; a thread of Node's then opens it soon after.
setImmediate(closeInspector)
setTimeout(closeInspector, lateMs).unref()
// Setting the code rather than exiting lets what was written reach its reader.
const readerLeft = reader.signal
const code = await run(argv, { stdout, stderr, stdin, env, takeSignals, readerLeft })
process.exitCode ??= code
// A daemon that has ended exits, whatever is still open. A reader of other commands' output may be
// slow.
if (takeSignals !== undefined) setTimeout(() => process.exit(), endMs).unref()

/** It stays if the command line asks for it. */
function closeInspector(): void {
  const inspector = process.getBuiltinModule('node:inspector')
  const isWanted = process.execArgv.some((argument) =>
    /^--inspect(?:=|-brk|-wait|$)/.test(argument),
  )
  if (!isWanted && inspector.url() !== undefined) inspector.close()
}

/**
 * Keeps signals that arrive while the daemon starts. The second signal to stop ends the process
 * immediately.
 */
function heldSignals(): TakeSignals {
  const held: DaemonSignal[] = []
  let obey = (signal: DaemonSignal): void => void held.push(signal)
  let isStopping = false
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) {
    process.on(signal, () => {
      const isStop = signal === 'SIGTERM' || signal === 'SIGINT'
      if (isStop && isStopping) process.exit(1)
      isStopping ||= isStop
      obey(signal)
    })
  }
  return (daemon) => {
    obey = daemon
    held.forEach(daemon)
  }
}
