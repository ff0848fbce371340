/** Alarms: what is wrong, which part is at fault, and what the operator has to do now. */
import type { LedgerStatus } from '../ledger/ledger-metrics.js'
import { spanText } from '../time/span-text.js'
import { dayMs, hourMs, minuteMs } from '../time/units.js'
import type { KeyEnd } from './key-ends.js'
import {
  type Alarm,
  clockAlarms,
  type EndpointStatus,
  isRefused,
  reasonText,
  remedyText,
  type StatusReport,
  storeAlarms,
} from './status-report.js'

/** An alarm; its beginning may be known from elsewhere. */
export type Finding = Omit<Alarm, 'since'> & { readonly since?: number }

export interface AlarmFacts {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly status: Omit<StatusReport, 'alarms'>
  readonly keyEnds: readonly KeyEnd[]
  /** Encoders with pins that the cluster has failed to pin so far, and how many. */
  readonly failing: ReadonlyMap<string, number>
  /** Requests of the last five minutes. */
  readonly recent: { readonly asked: number; readonly failed: number }
  /** Lost log lines, and requests that failed because of a bug, within the last hour. */
  readonly lostLines: number
  readonly bugs: number
}

export function findingsOf(facts: AlarmFacts): readonly Finding[] {
  const { status } = facts
  const findings = [
    ...ofCluster(facts),
    ...ofQueue(status),
    ...(status.ledger === undefined ? [] : ofLedger(status.ledger, facts.now)),
    ...ofCertificate(facts),
    ...ofKeys(facts),
    ...ofSettings(status.settings),
    ...storeAlarms(status.store),
    ...ofPins(facts.failing),
    ...ofProcess(facts),
  ]
  return findings.sort((one, other) => Number(isUrgent(other)) - Number(isUrgent(one)))
}

const isUrgent = ({ severity }: Finding): boolean => severity === 'urgent'

/** A peer with more lag than this has lost contact with the others. */
const lagMsMax = 10 * minuteMs

function ofCluster({ status, recent, now }: AlarmFacts): Finding[] {
  const { endpoints, journal } = status
  const down = endpoints.filter(({ state }) => state === 'down')
  if (endpoints.length > 0 && down.length === endpoints.length) {
    const since = Math.max(...down.map(sinceOf))
    const does = down.every(isRefused) ? "refuses the gate's login" : 'does not answer'
    return [
      {
        id: 'cluster-down',
        severity: 'urgent',
        what: `The cluster ${does}: ${down.map(reasonText).join(', ')}.`,
        cause:
          journal === null
            ? 'The cluster. Every encoder is refused with 503.'
            : `The cluster. ${pinsText(journal.waiting)} in the queue; all other requests get 503.`,
        next: remedyText(down),
        ...(Number.isFinite(since) && { since }),
      },
    ]
  }
  const findings: Finding[] = down.map((endpoint) => ({
    id: `endpoint-down ${endpoint.name}`,
    severity: 'soon',
    what: `The peer ${reasonText(endpoint)} is down; the gate uses the others.`,
    cause: 'The cluster. No encoder is affected while another peer answers.',
    next: remedyText([endpoint]),
    ...(Number.isFinite(sinceOf(endpoint)) && { since: sinceOf(endpoint) }),
  }))
  const behind = endpoints.filter(
    ({ state, lagSeconds = 0 }) => state !== 'down' && lagSeconds * 1000 > lagMsMax,
  )
  findings.push(
    ...endpoints.flatMap(clockAlarms),
    ...behind.map(({ name, lagSeconds = 0 }): Finding => ({
      id: `peer-lags ${name}`,
      severity: 'soon',
      what: `The peer ${name} lags behind by ${spanText(lagSeconds * 1000)}.`,
      cause: 'The cluster: that peer does not receive what the others have.',
      next: `On the host of ${name}: ipfs-cluster-ctl health, then the log of ipfs-cluster.`,
      since: now - lagSeconds * 1000,
    })),
  )
  const share = recent.failed / Math.max(1, recent.asked)
  if (recent.failed > 5 && share > 0.1)
    findings.push({
      id: 'cluster-faults',
      severity: 'urgent',
      what: `${Math.round(share * 100)} % of the requests of the last five minutes failed.`,
      cause: 'The cluster, or another part behind the gate. The table shows which encoders.',
      next: 'pinwarden tail --outcome fault shows each failure and its cause (upstreamError).',
    })
  return findings
}

const sinceOf = ({ since }: EndpointStatus): number => Date.parse(since ?? '')

function ofQueue({ journal, endpoints }: AlarmFacts['status']): Finding[] {
  const { waiting = 0, rejected = 0 } = journal ?? {}
  // While no endpoint is up, the cluster's own alarm covers this one.
  const isExpected = endpoints.every(({ state }) => state === 'down')
  return [
    ...(waiting === 0 || isExpected
      ? []
      : [
          {
            id: 'queue-waits',
            severity: 'soon',
            what: `${pinsText(waiting)} in the queue for the cluster.`,
            cause: 'The cluster. The encoders got 202 for them, not yet 200.',
            next: `Wait while the number falls; else see the log: "${notReplayed}".`,
          } as const,
        ]),
    ...(rejected === 0
      ? []
      : [
          {
            id: 'queue-rejected',
            severity: 'soon',
            what: `${countOf(rejected, 'queued pin')} will not be written.`,
            cause:
              'The cluster refused them for good, or a restored ledger does not know if they ' +
              'were written: pinwarden journal list --rejected says which, and whose they are.',
            next:
              'Tell their owners, unless pinwarden pins show says that they are held; then run ' +
              'pinwarden journal drop --rejected.',
          } as const,
        ]),
  ]
}

const notReplayed = 'could not replay a pin of the journal yet'

const pinsText = (count: number): string => (count === 1 ? '1 pin waits' : `${count} pins wait`)
const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** The gate needs up to 15 minutes to resolve a doubt. */
const doubtMsMax = hourMs
const freeBytesMin = 256 * 1024 ** 2

function ofLedger(ledger: LedgerStatus, now: number): Finding[] {
  const { isCopy, isWritable, reportedRows, doubts, oldestDoubtMs = 0 } = ledger
  const { freeBytes = Infinity, hasNoInodes, unheardGates, isWalking, isComparisonLate } = ledger
  const { missing, unexpected } = reportedRows
  const findings: Finding[] = []
  if (!isWritable)
    findings.push({
      id: 'ledger-not-writable',
      severity: 'urgent',
      what: 'The ledger cannot be written to disk.',
      cause: 'This machine. Meanwhile every pin gets 503, and unpins may; reads continue.',
      next: 'See df -h, df -i of ledger.directory; dmesg; in the log "could not write the ledger".',
    })
  else if (hasNoInodes || freeBytes < freeBytesMin)
    findings.push({
      id: 'ledger-disk-low',
      severity: 'soon',
      what: hasNoInodes
        ? 'The disk of the ledger has no free inodes.'
        : `The disk of the ledger has ${Math.floor(freeBytes / 1024 ** 2)} MiB left.`,
      cause: 'This machine. When the disk is full, every pin gets 503.',
      next: 'Remove files from the disk of ledger.directory: df -h and df -i show what it has.',
    })
  if (isCopy)
    findings.push({
      id: 'ledger-copy',
      severity: 'soon',
      what: 'The ledger is a copy: the gate neither repairs from it nor replays its queue.',
      cause: 'A backup, or an older file, has replaced ledger.db.',
      next: 'To use it as the ledger: stop the daemon, run pinwarden ledger trust, start it.',
    })
  const isWaiting = isWalking || isComparisonLate === true || oldestDoubtMs >= minuteMs
  if (unheardGates.length > 0 && isWaiting)
    findings.push({
      id: 'gates-unheard',
      severity: 'soon',
      what: `No recent message from ${unheardGates.join(', ')}: this gate repairs nothing for now.`,
      cause: 'Another gate of this cluster is down, has lost its ledger, or runs a newer release.',
      next: 'Start it; if it will never return: pinwarden ledger forget GATE.',
    })
  else if (isComparisonLate === true)
    findings.push({
      id: 'ledger-not-compared',
      severity: 'soon',
      what: 'The ledger could not be compared with the cluster for more than an hour.',
      cause: 'The cluster, or this machine. Changes from outside the gate stay unnoticed.',
      next: 'See "could not count leases" in the log, and whether the gate still verifies writes.',
    })
  if (doubts > 0 && oldestDoubtMs > doubtMsMax)
    findings.push({
      id: 'ledger-doubts',
      severity: 'soon',
      what: `${countOf(doubts, 'pin')} in doubt: the cluster has not shown that it has them.`,
      cause: 'The cluster, or a pin that it now refuses.',
      next: 'The log names them: "the cluster refused a pin that the ledger owes".',
      since: now - oldestDoubtMs,
    })
  if (missing + unexpected > 0)
    findings.push({
      id: 'ledger-reports',
      severity: 'soon',
      what: `Pins changed outside the gate: ${missing} missing, ${unexpected} unexpected.`,
      cause: 'ipfs-cluster-ctl, a restored backup, or an emptied datastore.',
      next: 'pinwarden pins plan --missing or --unexpected lists them; pins apply decides.',
    })
  return findings
}

function ofCertificate({ status, now }: AlarmFacts): Finding[] {
  const { certificateExpires } = status
  if (certificateExpires === null) return []
  const leftMs = Date.parse(certificateExpires) - now
  // A certificate of six days is renewed when half of them are left.
  if (leftMs > 3 * dayMs) return []
  return [
    {
      id: 'certificate-ends',
      severity: 'urgent',
      what: `The certificate ${endsText(leftMs)}.`,
      cause: 'This gate. Without a new one no encoder connects.',
      next: 'Run certbot renew, then check whether the deploy hook ran; the gate reloads itself.',
    },
  ]
}

const endsText = (leftMs: number): string =>
  leftMs > 0 ? `expires in ${spanText(leftMs)}` : `expired ${spanText(-leftMs)} ago`

const keySoonMs = 7 * dayMs
const namedMax = 3

/** One alarm for all keys: two hundred may end on the same day. */
function ofKeys({ keyEnds, now }: AlarmFacts): Finding[] {
  const soon = keyEnds.filter(({ expires }) => expires < now + keySoonMs)
  const [first] = soon
  if (first === undefined) return []
  const isUrgent = first.expires < now + dayMs
  const named = soon
    .slice(0, namedMax)
    .map(({ encoder, keyId, expires }) => `${encoder} (${keyId} ${endsText(expires - now)})`)
  const more = soon.length - named.length
  return [
    {
      id: 'keys-end',
      severity: isUrgent ? 'urgent' : 'soon',
      what: `${countOf(soon.length, 'key')} near expiry: ${named.join(', ')}${
        more > 0 ? `, and ${more} more` : ''
      }.`,
      cause: 'Their encoders: after the expiry they get 401.',
      next: `Run pinwarden keys add ${first.encoder}, and send the new key to its owner.`,
    },
  ]
}

function ofSettings({ isLastRefused, needRestart = [] }: StatusReport['settings']): Finding[] {
  return [
    ...(isLastRefused
      ? [
          {
            id: 'settings-refused',
            severity: 'soon',
            what: 'The settings in the file were refused; the previous ones are still in force.',
            cause: 'The last edit. Until it is fixed, no new key works and no key is revoked.',
            next: 'pinwarden check says what is wrong; a restart would fail.',
          } as const,
        ]
      : []),
    ...(needRestart.length > 0
      ? [
          {
            id: 'settings-wait',
            severity: 'soon',
            what: `Changed settings wait for a restart: ${needRestart.join(', ')}.`,
            cause: 'The last edit of the file.',
            next: 'systemctl restart pinwarden.',
          } as const,
        ]
      : []),
  ]
}

function ofPins(failing: ReadonlyMap<string, number>): Finding[] {
  const worst = [...failing].sort(([, one], [, other]) => other - one)
  const [first] = worst
  if (first === undefined) return []
  const sum = worst.reduce((all, [, count]) => all + count, 0)
  const named = worst.slice(0, namedMax).map(([encoder, count]) => `${encoder} (${count})`)
  const more = worst.length - named.length
  return [
    {
      id: 'pins-fail',
      severity: 'soon',
      what: `${countOf(sum, 'accepted pin')} could not be pinned yet: ${named.join(', ')}${
        more > 0 ? `, and ${more} more encoders` : ''
      }.`,
      cause: 'Usually the encoder: its own IPFS node does not offer the blocks to this host.',
      next: 'The log says why each failed: "a pin failed: the cluster will try it again".',
    },
  ]
}

function ofProcess({ lostLines, bugs }: AlarmFacts): Finding[] {
  return [
    ...(lostLines === 0
      ? []
      : [
          {
            id: 'log-lines-lost',
            severity: 'soon',
            what: `${countOf(lostLines, 'log line')} lost within the last hour.`,
            cause: 'This machine: a full disk, or a journal that stalls.',
            next: 'Check df -h /var/log; the metrics are complete.',
          } as const,
        ]),
    ...(bugs === 0
      ? []
      : [
          {
            id: 'bugs',
            severity: 'soon',
            what: `${countOf(bugs, 'request')} failed because of a bug within the last hour.`,
            cause: 'pinwarden.',
            next: 'Report the log lines with "msg":"bug", which have a stack trace.',
          } as const,
        ]),
  ]
}
