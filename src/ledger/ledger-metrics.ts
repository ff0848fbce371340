/** Metrics of the ledger and of its queue. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { LedgerFigures } from './storage/figures.js'
import type { Undecided } from './storage/ledger-storage.js'

/** The state of the ledger. */
export interface LedgerReport {
  /** Repairs since the start. */
  readonly repairs: { readonly missing: number; readonly unexpected: number }
  /** Pins changed outside the gate that wait for an operator, since the start. */
  readonly reported: { readonly missing: number; readonly unexpected: number }
  /** Of the last comparison; absent from an older daemon's answer. */
  readonly undecided?: Undecided
  /** CIDs in doubt, by reason. */
  readonly doubts: number
  /** Undefined: there is no doubt. */
  readonly oldestDoubtMs: number | undefined
  /** Whether the gate still verifies recent writes, after a start or a crash. */
  readonly isWalking: boolean
  /** Other gates from which this one has not heard lately; meanwhile it repairs nothing. */
  readonly unheardGates: readonly string[]
  /**
   * Messages that other gates have yet to read, and messages that were dropped, since the start.
   */
  readonly news: { readonly waiting: number; readonly dropped: number }
  /**
   * Whether comparisons have failed for an hour while the cluster is up; absent from an older
   * daemon's answer.
   */
  readonly isComparisonLate?: boolean
  /** Whether writes to the disk succeed. */
  readonly isWritable: boolean
  /** Whether it is a copy that no operator trusts yet: the gate makes no repairs from it. */
  readonly isCopy: boolean
}

/** The same, with figures of the file. */
export type LedgerStatus = LedgerReport & LedgerFigures

/** @param queued how many pins wait for the cluster */
export function registerLedger(
  registry: Registry,
  report: () => Promise<LedgerStatus>,
  queued: () => number,
): void {
  addGauge(registry, {
    name: 'pinwarden_ledger_rows',
    help: 'Pins in the ledger: owed, queued, in doubt, or reported as changed outside the gate.',
    labelNames: ['state'],
    read: async () => {
      const { owedRows, doubts, reportedRows } = await report()
      return [
        [{ state: 'owed' }, owedRows],
        [{ state: 'queued' }, queued()],
        [{ state: 'doubt' }, doubts],
        [{ state: 'reported' }, reportedRows.missing + reportedRows.unexpected],
      ]
    },
  })
  addGauge(registry, {
    name: 'pinwarden_ledger_doubts',
    help: 'Pins in doubt: the cluster may not have them as this gate wrote them.',
    read: async () => (await report()).doubts,
  })
  addGauge(registry, {
    name: 'pinwarden_ledger_oldest_doubt_seconds',
    help: 'Age of the oldest doubt; 0 without doubts.',
    read: async () => ((await report()).oldestDoubtMs ?? 0) / 1000,
  })
  addGauge(registry, {
    name: 'pinwarden_ledger_verifying',
    help: '1: the gate verifies recent writes, after a start or a crash.',
    read: async () => ((await report()).isWalking ? 1 : 0),
  })
  addCounter(registry, {
    name: 'pinwarden_ledger_repairs_total',
    help: 'Pins that the gate repaired: lost by the cluster (missing), or reappeared (unexpected).',
    labelNames: ['differed'],
    read: async () => byDifference((await report()).repairs),
  })
  addCounter(registry, {
    name: 'pinwarden_ledger_reports_total',
    help: 'Pins that were changed outside the gate: an operator has to decide.',
    labelNames: ['differed'],
    read: async () => byDifference((await report()).reported),
  })
  addGauge(registry, {
    name: 'pinwarden_ledger_copy',
    help: '1: the ledger is a copy that no operator trusts yet, so the gate repairs nothing.',
    read: async () => ((await report()).isCopy ? 1 : 0),
  })
  registerGates(registry, report)
  registerDisk(registry, report)
}

function registerGates(registry: Registry, report: () => Promise<LedgerStatus>): void {
  addGauge(registry, {
    name: 'pinwarden_ledger_unheard_gates',
    help: 'Other gates that have been silent lately; meanwhile this gate repairs nothing.',
    read: async () => (await report()).unheardGates.length,
  })
  addGauge(registry, {
    name: 'pinwarden_ledger_news_waiting',
    help: 'Releases and doubts that another gate has yet to read.',
    read: async () => (await report()).news.waiting,
  })
  addCounter(registry, {
    name: 'pinwarden_ledger_news_dropped_total',
    help: 'Releases and doubts that were dropped because a gate stopped reading them.',
    read: async () => (await report()).news.dropped,
  })
}

function registerDisk(registry: Registry, report: () => Promise<LedgerStatus>): void {
  addGauge(registry, {
    name: 'pinwarden_ledger_writable',
    help: '1: the ledger can be written to disk; 0: it cannot.',
    read: async () => ((await report()).isWritable ? 1 : 0),
  })
  addGauge(registry, {
    name: 'pinwarden_ledger_bytes',
    help: 'Size of the ledger.',
    read: async () => (await report()).bytes,
  })
  addGauge(registry, {
    name: 'pinwarden_ledger_disk_free_bytes',
    help: 'Free space on the disk of the ledger; absent for a ledger in memory.',
    read: async () => {
      const { freeBytes } = await report()
      return freeBytes ?? []
    },
  })
  addCounter(registry, {
    name: 'pinwarden_ledger_commits_total',
    help: 'Batches of changes that the ledger wrote.',
    read: async () => (await report()).commits.count,
  })
  addCounter(registry, {
    name: 'pinwarden_ledger_commit_seconds_total',
    help: 'Time that these batches took, including their wait for the disk.',
    read: async () => (await report()).commits.seconds,
  })
}

const byDifference = ({ missing, unexpected }: LedgerReport['repairs']) =>
  [
    [{ differed: 'missing' }, missing],
    [{ differed: 'unexpected' }, unexpected],
  ] as const

/** Entries of the queue: how many wait, and the outcomes of the others. */
export interface QueueCounts {
  readonly waiting: number
  /** Since the start. */
  readonly replayed: number
  readonly dropped: number
  /** Permanently refused by the cluster: `pinwarden journal list --rejected` shows them. */
  readonly rejected: number
}

export function registerQueue(registry: Registry, report: () => QueueCounts): void {
  addGauge(registry, {
    name: 'pinwarden_journal_pins',
    help: 'Pins that wait in the journal for the cluster.',
    read: () => report().waiting,
  })
  addGauge(registry, {
    name: 'pinwarden_journal_rejected_pins',
    help: 'Pins of the journal that the cluster permanently refused, until an operator drops them.',
    read: () => report().rejected,
  })
  addCounter(registry, {
    name: 'pinwarden_journal_pins_total',
    help: 'Pins that have left the journal: replayed to the cluster, or dropped.',
    labelNames: ['result'],
    read: () => {
      const { replayed, dropped } = report()
      return [
        [{ result: 'replayed' }, replayed],
        [{ result: 'dropped' }, dropped],
      ]
    },
  })
}
