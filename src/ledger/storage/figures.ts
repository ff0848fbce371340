/** What the ledger's file comes to, in numbers. */

export interface FileFigures {
  /** CIDs that somebody has a lease of; at most a minute old. */
  readonly owedRows: number
  /** CIDs that were changed beside the gate, and that an operator has not decided about. */
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
