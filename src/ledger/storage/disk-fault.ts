/** A failure of the ledger's disk: the request is not at fault, and may succeed later. */

/** SQLite's primary codes for disk errors; an extended code has more bits. */
export const sqliteCodes = {
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
} as const

const diskCodes: readonly number[] = Object.values(sqliteCodes)

export class DiskFault extends Error {
  override readonly name: string = 'DiskFault'
  readonly isFull: boolean

  constructor(error: unknown) {
    super(error instanceof Error ? error.message : String(error), { cause: error })
    this.isFull = sqliteCode(error) === sqliteCodes.full
  }
}

/** The disk is not writable, so a new ledger could not be created. */
export class NoFileYet extends DiskFault {
  override readonly name = 'NoFileYet'

  /** @param setAside path of the damaged ledger that was set aside */
  constructor(
    error: unknown,
    readonly setAside?: string,
  ) {
    super(error)
  }
}

/** Undefined: the error is not SQLite's. */
export function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined
}

export const isDamage = (error: unknown): boolean =>
  [sqliteCodes.corrupt, sqliteCodes.notDatabase].some((code) => code === sqliteCode(error))

/** Turns an error about the disk into a {@link DiskFault}; returns other errors unchanged. */
export function asDiskFault(error: unknown): unknown {
  const code = sqliteCode(error)
  if (code !== undefined) return diskCodes.includes(code) ? new DiskFault(error) : error
  return error instanceof Error && 'syscall' in error ? new DiskFault(error) : error
}
