/** What each crash can cost: the documentation prints this table, the simulation checks exactly it. */

export interface CrashCost {
  /** What ends, or is lost. */
  readonly event: string
  /** Promises that it may break. */
  readonly loses: string
  /** Where an operator sees it. */
  readonly told: string
}

/** The row of a POST is on the disk within this time; its 200 does not wait for it. */
export const rowDelayMsMax = 50

/** Beyond these numbers a repair takes a difference for a change by hand, and only reports it. */
export const repairs = { missingMax: 1000, returnedMax: 50 } as const

export const crashCosts = {
  gate: {
    event: 'the gate is killed, the cluster runs on',
    loses: 'nothing: the cluster has every write, also those without a row on the disk',
    told: 'log',
  },
  'gate-lagging': {
    event: 'the gate is killed while reads of the cluster lag behind (CRDT batching)',
    loses:
      `pins answered with 200 in the last ${rowDelayMsMax} ms, where another encoder changes the ` +
      'same CID before the cluster shows them',
    told: 'log',
  },
  cluster: {
    event: 'the cluster is killed, the gate runs on or is stopped in order',
    loses: 'nothing: the gate writes again what the cluster forgot',
    told: 'log, metric',
  },
  both: {
    event:
      'the gate is killed, and the cluster as well before the gate is back and has read what the ' +
      'cluster has; or the power fails',
    loses:
      `pins answered with 200 in the last ${rowDelayMsMax} ms before the end of the gate; ` +
      'no unpin, no 202',
    told: 'log',
  },
  'ledger-lost': {
    event: "the ledger's file is lost",
    loses: 'what the cluster does not have: pins with 202 that wait, and what it forgets later',
    told: 'log, report of the start',
  },
  'ledger-restored': {
    event: "the ledger's file is replaced by an older copy",
    loses: 'nothing at once; until `ledger trust`, what the cluster forgets',
    told: 'log, metric, status',
  },
  'hand-removed': {
    event: 'pins are removed beside the gate (ctl, an older backup, a wiped datastore)',
    loses: 'the removed pins, until an operator decides',
    told: 'log, metric, status',
  },
  'hand-returned': {
    event: `more than ${repairs.returnedMax} unpinned pins come back beside the gate`,
    loses:
      'nothing: they stay until an operator decides; several gates unpin up to ' +
      `${repairs.returnedMax} of them`,
    told: 'log, metric, status',
  },
  'store-away': {
    event: 'the store is down, restarts empty, loses keys or comes late, with several gates',
    loses:
      'nothing: what gates wrote over each other is written again once they have heard each ' +
      'other. Until then a DELETE may read 403 or 404; a lease is rather kept too long, also ' +
      'one that was released',
    told: 'log, metric',
  },
  'crash-elsewhere': {
    event: 'the cluster is killed, with several gates',
    loses:
      'nothing: until each gate has repaired what it wrote, a DELETE at another one may read 403 ' +
      'or 404, and a lease that is shortened or released there may stay as long as it was',
    told: 'log, metric',
  },
  'queue-elsewhere': {
    event: 'a pin waits in the queue of one gate, and another one is asked',
    loses: 'nothing: the other one knows nothing of it, and its DELETE may read 403 or 404',
    told: 'log',
  },
  'gate-gone': {
    event: 'a gate of several is gone for good, with its ledger',
    loses:
      'what only that gate knew: a lease that it released last may be pinned again by a repair, ' +
      'after `ledger forget`',
    told: 'log, metric, status',
  },
  'disk-full': {
    event: 'the disk is slow, or takes nothing',
    loses:
      'nothing: unpins and pins with 202 wait, or are refused. Where gate and cluster are killed ' +
      'meanwhile, pins answered with 200 since then',
    told: 'log, metric, status',
  },
} as const satisfies Readonly<Record<string, CrashCost>>

export type CrashName = keyof typeof crashCosts
