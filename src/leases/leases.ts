/** All that the gate knows and does of leases, put together. */
import { readLines } from '../cluster/lines.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import type { ClusterConfig } from '../settings/schema/schema.js'
import { type SetTimer, setTimer as realLater } from '../time/set-timer.js'
import { Holdings } from './holdings.js'
import { KeptWrites } from './kept-writes.js'
import { Ledger } from './ledger.js'
import { LookBack } from './look-back.js'
import { RecentWrites } from './recent.js'
import type { SharedTurns } from './shared-turns.js'
import { Unfinished } from './unfinished.js'
import type { Logger } from '../log/logger.js'

export interface LeasesParts {
  readonly link: ClusterClient
  /** Asked for each question. */
  readonly config: () => ClusterConfig
  readonly userAgent: string
  /** For the log. */
  readonly tell: Logger
  /** Where the last writes are kept; undefined: they end with the process. */
  readonly keepIn?: string | undefined
  /** A clock of a test's own. */
  readonly later?: SetTimer
  /** Undefined: this gate alone writes the cluster. */
  readonly shared?: SharedTurns | undefined
}

export interface Leases {
  readonly ledger: Ledger
  readonly holdings: Holdings
  readonly unfinished: Unfinished
  /** It may be another cluster: nothing that was written so far belongs there. */
  startAnew(): void
  close(): Promise<void>
}

/** How long a gate answers for its pins that writes the cluster alone: it hears of all changes. */
const aloneMs = 86_400_000

export async function openLeases({
  link,
  config,
  userAgent,
  tell,
  keepIn,
  later = realLater,
  shared,
}: LeasesParts): Promise<Leases> {
  const headers = { accept: 'application/json', 'user-agent': userAgent }
  const read = (path: string, headMs: number) => (take: (line: Buffer) => void) =>
    readLines(link, { path, headers, headMs }, take)
  const holdings = new Holdings({
    readState: (take) => read('/allocations?filter=pin', config().listTimeoutMs)(take),
    onCounted: (pins, leases, ms) => {
      tell('info', { pins, leases, durationMs: Math.round(ms) }, 'leases counted')
    },
    onError: (err) => {
      tell('warn', { err }, 'leases could not be counted')
    },
  })
  const unfinished = new Unfinished({
    readOperations: (take) =>
      read('/pins?filter=pin_queued,pinning', config().statusTimeoutMs)(take),
  })
  const onUnseen = (cid: string, err: unknown) => {
    tell('warn', { cid, err }, 'it could not be seen whether a pin is still as this gate wrote it')
  }
  const recent = new RecentWrites(shared === undefined ? aloneMs : undefined)
  const ledger = new Ledger({
    link,
    recent,
    headers,
    timeoutMs: () => config().writeTimeoutMs,
    later,
    shared,
    onPutBack: (cid) => {
      tell('warn', { cid }, 'gates wrote over each other: lost leases of a pin are written again')
    },
    onForeignHand: (cid) => {
      tell('warn', { cid }, foreignHand)
    },
    onPinnedAgain: (cid) => {
      tell('warn', { cid }, 'a pin renewed when it had run out was swept away: pinned again')
    },
    onUnseen,
    onChange: (cid, before, after) => {
      holdings.note(cid, before, after)
    },
  })
  const lookBack = new LookBack({
    recent,
    change: (cid, change) => ledger.change(cid, change),
    onForgotten: (cid, what) => {
      tell('warn', { cid }, forgotten[what])
    },
    onUnseen,
    onLooked: (looked, forgotten) => {
      tell(
        'info',
        { looked, forgotten },
        'what was written last was looked at: the cluster or this gate had ended',
      )
    },
    later,
  })
  link.onDisconnect(() => {
    lookBack.soon()
  })
  const kept =
    keepIn === undefined
      ? undefined
      : await KeptWrites.open({
          ...{ directory: keepIn, recent, tell, later },
          cluster: () => config().endpoints.map(({ url }) => url),
        }).catch((err: unknown) => {
          tell('error', { directory: keepIn, err }, 'the last writes cannot be kept on the disk')
        })
  if (kept?.wasKilled === true) lookBack.soon()
  return {
    ...{ ledger, holdings, unfinished },
    startAnew: () => {
      lookBack.startAnew()
      kept?.startAnew()
    },
    close: async () => {
      lookBack.close()
      ledger.close()
      await kept?.close()
    },
  }
}

const forgotten = {
  pin: 'the cluster was away, and had forgotten a pin that this gate wrote: it is written again',
  unpin: 'the cluster was away, and had forgotten that a pin was unpinned: it is unpinned again',
}

const foreignHand =
  'the leases of a pin were changed by another hand since this gate wrote them: two gates that ' +
  'write one cluster without a store that they share lose leases'
