/** Figures of the ledger's file. */

export interface FileFigures {
  /** CIDs with a lease; at most a minute old. */
  readonly owedRows: number
  /** CIDs that were changed beside the gate and wait for an operator. */
  readonly reportedRows: { readonly missing: number; readonly unexpected: number }
  readonly bytes: number
  /** Of the disk; undefined: the ledger is kept in memory. */
  readonly freeBytes: number | undefined
}

export interface LedgerFigures extends FileFigures {
  /** Batches that were written since the start, and the time that they took. */
  readonly commits: { readonly count: number; readonly seconds: number }
}

export interface LedgerCheck {
  /** What SQLite found; none: the file is whole. */
  readonly problems: readonly string[]
  readonly gateId: string
  readonly isCopy: boolean
  readonly rows: number
  readonly leases: number
  /** Pins that wait for the cluster. */
  readonly queue: number
  /** Pins that waited, and that the cluster refused for good. */
  readonly rejected: number
  readonly doubts: number
  /** Rows by what a hand beside the gate made of them. */
  readonly reported: { readonly missing: number; readonly unexpected: number }
  readonly bytes: number
}
