/** What each crash can cost: the documentation prints this table, the simulation checks exactly it. */

export interface CrashCost {
  /** What crashes, or is lost. */
  readonly event: string
  /** Promises that it may break. */
  readonly loses: string
  /** Where an operator sees it. */
  readonly reportedIn: string
}

/** The row of a POST is on the disk within this time; its 200 does not wait for it. */
export const rowDelayMsMax = 50

/** Beyond these numbers a repair assumes a change outside the gate, and only reports it. */
export const repairs = { missingMax: 1000, returnedMax: 50 } as const

export const crashCosts = {
  gate: {
    event: 'the gate is killed, the cluster runs on',
    loses: 'nothing: the cluster has every write, also those without a row on the disk',
    reportedIn: 'log',
  },
  'gate-lagging': {
    event: 'the gate is killed while reads of the cluster lag behind (CRDT batching)',
    loses:
      `pins answered with 200 in the last ${rowDelayMsMax} ms, if a repair or another encoder ` +
      'changes the same CID before the cluster shows them',
    reportedIn: 'log',
  },
  cluster: {
    event: 'the cluster is killed, the gate runs on or shuts down properly',
    loses: 'nothing: the gate writes again what the cluster forgot',
    reportedIn: 'log, metric',
  },
  both: {
    event:
      'the gate is killed, and then the cluster before the gate has restarted and read its ' +
      'state; or the power fails',
    loses:
      `pins answered with 200 in the last ${rowDelayMsMax} ms before the end of the gate; ` +
      'no unpin, no 202',
    reportedIn: 'log',
  },
  'ledger-lost': {
    event: "the ledger's file is lost",
    loses:
      'what the cluster does not have: waiting pins with 202, and what it forgets later, ' +
      'also of releases',
    reportedIn: 'log, report at the start',
  },
  'ledger-restored': {
    event: "the ledger's file is replaced by an older copy",
    loses:
      'nothing immediately; until `ledger trust`, what the cluster forgets. A lease that was ' +
      'released since may be back once another encoder changes its pin',
    reportedIn: 'log, metric, status',
  },
  'hand-removed': {
    event: 'pins are removed outside the gate (ctl, an older backup, a wiped datastore)',
    loses: 'the removed pins, until an operator decides',
    reportedIn: 'log, metric, status',
  },
  'hand-returned': {
    event:
      `more than ${repairs.returnedMax} unpinned pins come back from outside the gate, or with a ` +
      'batch (CRDT batching) that a killed cluster forgets',
    loses:
      'nothing: they stay until an operator decides; several gates unpin up to ' +
      `${repairs.returnedMax} of them`,
    reportedIn: 'log, metric, status',
  },
  'store-away': {
    event: 'the store is down, restarts empty, loses keys or is slow, with several gates',
    loses:
      'nothing: what gates overwrote is restored once they have heard each other. Until then a ' +
      'DELETE may get 403 or 404, or no grace, and a lease, even a released one, may last too ' +
      'long; one that the releasing gate could not see is back until its holder unpins it again',
    reportedIn: 'log, metric',
  },
  'crash-elsewhere': {
    event: 'the cluster is killed, with several gates',
    loses:
      'nothing: until each gate has repaired what it wrote, a DELETE at another one may get 403 ' +
      'or 404, or no grace, and a lease that was shortened or released there may last as long as ' +
      'before, even if its holder has pinned again at another gate',
    reportedIn: 'log, metric',
  },
  'queue-elsewhere': {
    event: 'a pin waits in the queue of one gate, and an encoder asks another',
    loses:
      'nothing: the other gate does not know about it, and its DELETE may get 403 or 404, or 200 ' +
      'for an older lease; the queued pin is pinned later, or ends',
    reportedIn: 'log',
  },
  'down-elsewhere': {
    event: 'an operator takes a pin down at one of several gates',
    loses:
      'pins answered with 200 by another gate before it hears of it: renewals, and first pins ' +
      'within a second, or within a minute if the take-down waits for the cluster',
    reportedIn: 'log',
  },
  'gate-gone': {
    event: 'one of several gates is lost permanently, with its ledger',
    loses:
      'what only that gate knew: after `ledger forget`, a repair may pin again a lease that it ' +
      'released last',
    reportedIn: 'log, metric, status',
  },
  'disk-full': {
    event: 'the disk is slow or full',
    loses:
      'nothing: unpins and pins with 202 wait, or are refused. If gate and cluster are killed ' +
      'meanwhile, pins answered with 200 since then',
    reportedIn: 'log, metric, status',
  },
} as const satisfies Readonly<Record<string, CrashCost>>

export type CrashName = keyof typeof crashCosts
