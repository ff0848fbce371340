/** Assembles the ledger and the parts that maintain it. */
import { Decisions } from './decisions.js'
import { Doubts } from './doubts.js'
import { ClusterIdentity } from './cluster-identity.js'
import type { ClusterPort } from './cluster-port.js'
import type { GateLocks } from './gate-locks.js'
import type { GateMail } from './gate-mail.js'
import { GateNews } from './gate-news.js'
import { Holdings } from './holdings.js'
import { Ledger } from './ledger.js'
import type { LedgerReport } from './ledger-metrics.js'
import type { Logger } from '../log/logger.js'
import { type DoubtReason, landingMs } from './doubt.js'
import type { Owes } from './merge.js'
import { OpenPins } from './open-pins.js'
import { OwnPins } from './own-pins.js'
import { PeerBack } from './peer-back.js'
import { Queue } from './queue.js'
import { RecentRows } from './recent-rows.js'
import { Reconciler } from './reconciler.js'
import { Records } from './records.js'
import type { LedgerStorage } from './storage/ledger-storage.js'
import type { Clock } from '../time/clock.js'
import { Deadline } from '../time/deadline.js'
import { dayMs, hourMs, minuteMs } from '../time/units.js'
import { everyHolder } from './row.js'
import { Walk } from './walk.js'

export interface LedgerOpening extends Clock {
  readonly storage: LedgerStorage
  readonly cluster: ClusterPort
  readonly timeoutMs: () => number
  /** Pins that may wait in the queue. */
  readonly entriesMax: number
  /** Undefined: this gate is the only writer. */
  readonly gateLocks?: GateLocks | undefined
  /** With the locks. */
  readonly gateMail?: GateMail | undefined
  /** Gets the peers that identify the cluster; undefined: unknown. */
  readonly onPeers?: ((peers: readonly string[] | undefined) => Promise<void>) | undefined
  readonly log: Logger
}

export interface OpenLedger {
  /** What requests and operators read and change. */
  readonly changes: Ledger
  readonly queue: Queue
  readonly holdings: Holdings
  readonly ownPins: OwnPins
  readonly decisions: Decisions
  /** Settles once the cluster has been asked for its peers, or need not be. */
  readonly identified: Promise<void>
  report(): LedgerReport
  /** The settings may name another cluster now. */
  settingsChanged(): void
  /** Whether another gate has answered lately; undefined: unknown, as this one hears no gate. */
  gateAnswers(gateId: string): boolean | undefined
  /** An operator says that another gate is gone for good. @returns whether there was one */
  forgetGate(gateId: string): Promise<boolean>
  /** Ends all timers, and tells the other gates what is left; the storage is the opener's. */
  close(): Promise<void>
}

/** A single gate knows of every change except those from outside. */
const aloneMs = dayMs

/** Other gates also write, and each gate only knows what it has heard of. */
const sharedMs = hourMs

/** After a clean shutdown, or with a new ledger: the start has other work to do. */
const calmMs = 30_000

/** Within this time after the cluster came back, the gates have repaired most of it. */
const settleMs = minuteMs

/** Two parts notice a loss, one after another. */
const toldMs = 10_000

/** Reads lag by less than this, for writes from before the store lost its contents. */
const lagMs = minuteMs

export function openLedger(opening: LedgerOpening): OpenLedger {
  const { storage, cluster, timeoutMs, entriesMax, gateLocks, gateMail, log } = opening
  const owes: Owes = gateLocks === undefined ? 'all' : 'own'
  const clocks = { now: opening.now, monotonic: opening.monotonic, setTimer: opening.setTimer }
  const spend =
    gateLocks && ((...asked: Parameters<typeof gateLocks.spend>) => gateLocks.spend(...asked))
  const isHeard = () => news === undefined || news.isCurrent
  const isAvailable = () => cluster.isAvailable() && identity.isKnown && isHeard()
  const repairs = { missing: 0, unexpected: 0 }
  const reported = { missing: 0, unexpected: 0 }
  const { isCopy, wasClosed } = storage.contents
  let cancelRecount = (): void => undefined
  const crashedUntilMs = wasClosed ? -Infinity : opening.monotonic() + landingMs
  const isAfterCrash = () => opening.monotonic() < crashedUntilMs
  // Each gate's next comparison finds what other gates wrote since.
  let unsureUntilMs = -Infinity
  const beUnsure = (): void => {
    unsureUntilMs = opening.monotonic() + sharedMs + landingMs
  }
  beUnsure()
  gateLocks?.whenDown(beUnsure)
  // Each gate unpins again what the cluster forgot; a comparison meanwhile would report that.
  let settledMs = -Infinity
  const recent = new RecentRows(opening.monotonic)
  const records = new Records(cluster, opening.now)
  const onDoubt = (cid: string, reason: DoubtReason): void => {
    doubts.add(cid, reason)
  }
  let lostMs = -Infinity
  const onLost = (): void => {
    // Both the secret and the rows are gone of a store that restarted empty.
    if (opening.monotonic() > lostMs + toldMs) log('warn', {}, lostRows)
    lostMs = opening.monotonic()
    beUnsure()
    for (const cid of recent.within(lagMs)) onDoubt(cid, 'lock-lost')
  }
  const pins: OpenPins = new OpenPins({
    ...{ storage, recent, gateLocks, onDoubt, ...clocks },
    // They come after the pins whose changes they report.
    news: gateMail && {
      released: (...release) => news?.released(...release) ?? [],
      writtenBy: (open) => news?.writtenBy(open) ?? [],
      rewritten: (...lease) => news?.rewritten(...lease) ?? [],
      doubted: (...doubt) => news?.doubted(...doubt),
      takenDown: (...takeDown) => news?.takenDown(...takeDown) ?? [],
    },
    onMayReturn: (cid) => {
      reconciler.explain(cid)
    },
    onTakenDown: (...takeDown) => decisions.takenDownElsewhere(...takeDown),
    isDoubted: (cid) => doubts.mayLand(cid),
    isAfterCrash,
    mayOweMore: () => opening.monotonic() < unsureUntilMs,
    onHeld: (cid, leases, added, kept) => {
      holdings.note(cid, added, kept)
      // Entries of the queue only renew these.
      void kept.then(() => {
        for (const { holder, untilMs } of leases) queue.held({ cid, holder }, untilMs)
      })
    },
  })
  const ledger = new Ledger({
    ...{ storage, cluster, pins, records, recent, owes, timeoutMs, onDoubt, log, ...clocks },
    isDoubted: (cid) => walk.isPending || doubts.has(cid),
  })
  const reconciler = new Reconciler({
    ...{ storage, pins, records, recent, owes, spend, timeoutMs, log, ...clocks },
    onRepaired: (differed) => {
      repairs[differed]++
    },
    onReported: (differed) => {
      reported[differed]++
    },
  })
  const doubts: Doubts = new Doubts({
    ...{ storage, log, ...clocks },
    // First a walk decides whether a crash, or a change outside the gate, changed the cluster.
    isAvailable: () => isAvailable() && !walk.isOpen,
    reconcile: (cid) => reconciler.reconcile(cid),
    onLooked: (cid) => {
      void holdings.looked(cid, !doubts.has(cid))
      // A queued pin may have been written by a request whose answer was lost.
      for (const entry of queue.of(cid))
        void holdings.keptUntil(cid, entry.holder).then((untilMs) => {
          if (untilMs !== undefined) queue.held(entry, untilMs)
        })
    },
    onTooMany: () => {
      walk.soon()
    },
  })
  const walk: Walk = new Walk({
    ...{ storage, reconciler, isAvailable, spend, log, ...clocks },
    isDoubted: (cid) => doubts.mayLand(cid),
    // A comparison adds rows with numbers of a run that was killed.
    lastRow: () => Math.max(storage.contents.lastRow, storage.lastSeq),
    onUnreadable: (cid) => {
      onDoubt(cid, 'unknown-outcome')
    },
    merging: { gateId: storage.gateId, owes },
    onReported: (missing, unexpected) => {
      reported.missing += missing
      reported.unexpected += unexpected
      holdings.soon()
    },
  })
  const peerBack = new PeerBack({
    ...{ storage, onDoubt, log, ...clocks },
    explain: (cid) => {
      reconciler.explain(cid)
    },
  })
  const holdings: Holdings = new Holdings({
    ...{ storage, log, owes, ...clocks },
    cluster,
    isWalking: () => walk.isOpen || !isAvailable() || opening.monotonic() < settledMs,
    hearAll: async () => news === undefined || news.hearAll(),
    isDoubted: (cid) => doubts.has(cid),
    intervalMs: gateLocks === undefined ? aloneMs : sharedMs,
    onReported: (missing, unexpected) => {
      reported.missing += missing
      reported.unexpected += unexpected
      if (missing > 0) log('error', { missing }, missingWords)
      if (unexpected > 0) log('error', { unexpected }, unexpectedWords)
    },
    // A sweep may still unpin what was renewed by then.
    onLostWrite: (cid) => {
      if (!isCopy) onDoubt(cid, 'after-crash')
    },
  })
  const news: GateNews | undefined =
    gateMail &&
    new GateNews({
      ...{ storage, mail: gateMail, log, ...clocks },
      onNews: async ({ cid, released, doubt }) => {
        if (released?.holder === everyHolder) {
          await decisions.hearTakeDown(cid, released.token)
          return
        }
        const deadline = new Deadline(timeoutMs(), opening.monotonic)
        const retracted = released && (await pins.retract(cid, released, deadline))
        if (released?.writtenMs !== undefined) reconciler.written(cid, released.writtenMs)
        const isOverwritten = retracted === 'overwritten'
        const isBack = isOverwritten || (retracted === 'ended' && reconciler.isExplained(cid))
        // A sweep, or another write, may still end the lease that followed, which others owe.
        const mayEnd = retracted === 'ended' && doubts.mayLand(cid)
        // It may have hidden another gate's lease.
        if (mayEnd) news?.doubted(cid, 'unknown-outcome')
        else if (isBack) news?.doubted(cid, 'lock-lost')
        if (isBack || doubt !== undefined) reconciler.explain(cid)
        if (doubt !== undefined || isBack) onDoubt(cid, doubt ?? 'lock-lost')
      },
      onLost,
    })
  gateLocks?.whenLost((cid) => {
    if (cid === undefined) onLost()
    else onDoubt(cid, 'lock-lost')
  })
  const queue = new Queue({
    ...{ storage, places: holdings.places, entriesMax, now: opening.now },
    hasOthers: gateLocks !== undefined,
  })
  const decisions: Decisions = new Decisions({
    ...{ storage, pins, records, recent, queue, reconciler, owes, onDoubt, timeoutMs },
    ...{ log, ...clocks },
  })
  const identity: ClusterIdentity = new ClusterIdentity({
    ...{ storage, cluster, log, ...clocks },
    onPeers: opening.onPeers,
    onKnown: (isAnother) => {
      if (isAnother) {
        doubts.clear()
        holdings.clearDoubts()
        walk.clear()
        recent.clear()
        holdings.soon()
      } else if (!isCopy) walk.soon()
      // A new ledger may replace one that was lost: it cannot keep promises that it does not know.
      if (!isCopy && holdings.since === undefined) holdings.soon()
    },
  })
  if (isCopy) log('error', {}, copyNotice)
  else {
    doubts.start()
    for (const { cid, reason } of storage.contents.doubts) {
      // What was unpinned before the cluster showed it may appear in this run.
      if (reason === 'not-found') reconciler.explain(cid)
      // A change when this gate was killed may have removed another gate's lease.
      if (reason === 'in-flight') news?.doubted(cid, 'unknown-outcome')
    }
    walk.soon()
    cluster.onDisconnect((isHangUp, downMs) => {
      walk.soon(isHangUp)
      beUnsure()
      if (downMs !== undefined) peerBack.back(downMs)
      const isShared = gateLocks !== undefined
      if (isShared && isHangUp !== true) settledMs = opening.monotonic() + settleMs
    })
    holdings.start(calmMs)
    if (storage.contents.isIncomplete) holdings.soon(wasClosed ? calmMs : 0)
    // Writes that the previous run had in flight when it was killed may have landed by then.
    if (!wasClosed)
      cancelRecount = opening.setTimer(landingMs, () => {
        holdings.soon()
      })
  }
  return {
    ...{ changes: ledger, queue, holdings, decisions, ownPins: new OwnPins(holdings, queue) },
    identified: identity.asked,
    report: () => ({
      ...{ repairs, reported, isCopy, isWritable: storage.isWritable, isWalking: walk.isOpen },
      ...{ doubts: doubts.size, undecided: holdings.undecided },
      unheardGates: news?.unheard ?? [],
      news: news?.figures ?? { waiting: 0, dropped: 0 },
      oldestDoubtMs: doubts.oldestMs,
      isComparisonLate: holdings.isLate,
    }),
    settingsChanged: () => {
      identity.check()
    },
    gateAnswers: (gateId) => (news === undefined ? false : news.answers(gateId)),
    forgetGate: async (gateId) => (await news?.forget(gateId)) ?? false,
    close: async () => {
      if (isAfterCrash()) storage.isUnsettled = true
      identity.close()
      cancelRecount()
      pins.close()
      walk.close()
      peerBack.close()
      doubts.close()
      holdings.close()
      await news?.close()
      gateLocks?.close()
    },
  }
}

const lostRows = 'the store lost what gates had written last; the last pins are checked again'
const missingWords = 'found pins missing from the cluster that the ledger owes'
const unexpectedWords = 'found pins in the cluster that the ledger had released'
const copyNotice = 'opened a copy of a ledger; it repairs nothing before it is trusted'
