/** Writes to stderr why a command failed, and chooses its exit code. */
import { refusal } from '../disk/refusal.js'
import { StartError } from '../daemon/start-error.js'
import { LedgerFault } from '../ledger/storage/ledger-storage.js'
import type { Io } from './io.js'

/** A command failed. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'

  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message)
  }
}

/** The command line is wrong. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError'
}

/** 1: failed; 2: wrong usage. */
export function report(error: unknown, io: Io): 1 | 2 {
  if (error instanceof CommandError) {
    fail(io, error.message)
    hint(io, error.hint)
    return error instanceof UsageError ? 2 : 1
  }
  if (error instanceof StartError) {
    fail(io, error.message)
    hint(io, error.hint)
    return 1
  }
  if (error instanceof LedgerFault) {
    fail(io, error.message)
    hint(io, 'ledger.directory in the settings says where it is')
    return 1
  }
  // A system error is shown in its own words; anything else is a bug, and shown whole.
  if (error instanceof Error && 'syscall' in error) {
    const { path, syscall, code = '' } = error as NodeJS.ErrnoException
    const isPlace = path !== undefined && syscall !== 'listen' && code !== 'EACCES'
    fail(io, isPlace ? refusal(path, code) : error.message)
    hint(io, wayOut(error))
  } else fail(io, error instanceof Error ? (error.stack ?? error.message) : String(error))
  return 1
}

/** Says why a file cannot be used, and what to type next. */
export function fileFault(path: string, error: unknown, verb: 'read' | 'write to'): CommandError {
  if (error instanceof Error && 'syscall' in error && 'code' in error)
    return new CommandError(refusal(path, String(error.code), verb))
  const why = error instanceof Error ? error.message : String(error)
  return new CommandError(`${path} cannot be ${verb === 'read' ? 'read' : 'written'}: ${why}`)
}

/** For the errors that listening on an address ends in. */
function wayOut(error: Error & { syscall?: unknown; code?: unknown }): string | undefined {
  if (error.syscall !== 'listen') return undefined
  if (error.code === 'EADDRINUSE') return 'another program listens there: ss -ltnp shows which'
  if (error.code === 'EADDRNOTAVAIL') return 'this machine does not have the address in listen.host'
  if (error.code === 'EINVAL')
    return 'the socket that pinwarden.socket passes cannot be listened on'
  if (error.code === 'EACCES') return 'ports below 1024 need the capability CAP_NET_BIND_SERVICE'
  return undefined
}

export function warn(io: Io, text: string): void {
  io.stderr.write(`pinwarden: warning: ${text}\n`)
}

/** For an edit of the configuration that collided with another program's. */
export const warnOfCopy =
  (io: Io) =>
  (copy: string): void => {
    warn(io, `another edit collided with this one, or was interrupted: its version is in ${copy}`)
  }

export function hint(io: Io, text: string | undefined): void {
  if (text !== undefined) io.stderr.write(`hint: ${text}\n`)
}

export function fail(io: Io, text: string): void {
  io.stderr.write(`pinwarden: error: ${text}\n`)
}
