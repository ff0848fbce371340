/** Figures of the ledger's file. */

export interface FileFigures {
  /** CIDs with a valid lease; at most a minute old. */
  readonly owedRows: number
  /** CIDs that were changed outside the gate; an operator has to decide. */
  readonly reportedRows: { readonly missing: number; readonly unexpected: number }
  readonly bytes: number
  /** Free bytes of the disk; undefined: the ledger is in memory. */
  readonly freeBytes: number | undefined
  /** No file can be created on the disk, whatever space is free. */
  readonly hasNoInodes: boolean
}

export interface LedgerFigures extends FileFigures {
  /** Batches written since the start, and the time that they took. */
  readonly commits: { readonly count: number; readonly seconds: number }
}

export interface LedgerCheck {
  /** Faults that SQLite found; none: the file is whole. */
  readonly problems: readonly string[]
  readonly gateId: string
  readonly isCopy: boolean
  readonly rows: number
  readonly leases: number
  /** Pins that wait for the cluster. */
  readonly queue: number
  /** Queued pins that the cluster refused for good. */
  readonly rejected: number
  readonly doubts: number
  /** Rows that were changed outside the gate, by the kind of change. */
  readonly reported: { readonly missing: number; readonly unexpected: number }
  readonly bytes: number
}
