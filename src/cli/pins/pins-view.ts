/** `pinwarden pins list` and `pins show`: pins of an encoder, holders of a pin. */
import { askControl } from '../ask-control.js'
import type { JsonCalled } from '../command-line.js'
import { configInUse } from '../config-faults.js'
import type { Io } from '../io.js'
import { table } from '../text-table.js'

export interface PinListOptions extends JsonCalled {
  readonly encoder: string
}

interface Held {
  readonly count: number
  readonly cids: readonly string[]
}

/** One CID a line, in their order; as JSON one object a line. */
export async function pinsList(options: PinListOptions, io: Io): Promise<number> {
  const { configPath, encoder, json } = options
  const { config } = await configInUse(configPath, io)
  const lineOf = (cid: string) => `${json ? JSON.stringify({ cid, encoder }) : cid}\n`
  for (let after = ''; ;) {
    const query = new URLSearchParams({ encoder, ...(after !== '' && { after }) })
    const { cids } = (await askControl(config, 'GET', `/held?${query.toString()}`)) as Held
    io.stdout.write(cids.map(lineOf).join(''))
    const last = cids.at(-1)
    if (last === undefined) {
      if (after === '') io.stderr.write(`${encoder} holds no pins\n`)
      return 0
    }
    after = last
  }
}

export interface ShowOptions extends JsonCalled {
  readonly cid: string
}

interface Shown {
  readonly cid: string
  readonly name: string
  readonly type: string
  readonly written: string | null
  readonly expires: string | null
  readonly isLetGo: boolean
  /** Absent from an older daemon's answer. */
  readonly isReleased?: boolean
  /** An operator's reason to release it for good, if one ever did. */
  readonly takeDown?: string | null
  /** Whether a change of it waits for the cluster. */
  readonly isQueued: boolean
  /** Null: the cluster did not say; absent, as `queued` is, from an older daemon's answer. */
  readonly isInCluster?: boolean | null
  /** How it was changed outside the gate. */
  readonly report: 'missing' | 'unexpected' | null
  readonly leases: readonly ShownLease[]
  readonly former: readonly ShownLease[]
  readonly queued?: readonly ShownLease[]
}

interface ShownLease {
  readonly encoder: string | null
  readonly leaseId: string
  readonly since: string
  readonly until: string | null
}

export async function pinsShow({ configPath, cid, json }: ShowOptions, io: Io): Promise<number> {
  const { config } = await configInUse(configPath, io)
  const pin = (await askControl(config, 'GET', `/pins/${encodeURIComponent(cid)}`)) as Shown
  io.stdout.write(json ? `${JSON.stringify(pin, null, 2)}\n` : textOf(pin))
  return 0
}

const reportText = {
  missing: 'missing: leases are owed that the cluster lacks: pinwarden pins plan --missing',
  unexpected: 'unexpected: released, but in the cluster: pinwarden pins plan --unexpected',
} as const

function textOf(pin: Shown): string {
  const forGood = typeof pin.takeDown === 'string' ? ` for good (${pin.takeDown})` : ''
  const held = pin.isLetGo
    ? 'unpinned, in its grace period: pinwarden pins restore brings it back'
    : pin.leases.length > 0
      ? 'held'
      : pin.isReleased === true
        ? `released${forGood}, but the cluster has it: the gate checks whether that lasts`
        : 'held by no encoder'
  const known = pin.report === null ? held : reportText[pin.report]
  const state = pin.isQueued
    ? `${known}; one of its pins is waiting: pinwarden journal list`
    : known
  const inCluster = pin.isInCluster === true ? 'has it' : 'does not have it'
  const lines = [
    `cid      ${pin.cid}`,
    `name     ${pin.name === '' ? '-' : pin.name}`,
    `state    ${state}`,
    `cluster  ${typeof pin.isInCluster === 'boolean' ? inCluster : 'unknown: it does not answer'}`,
    `written  ${pin.written ?? '-'}`,
    `expires  ${pin.expires ?? 'never'}`,
  ]
  const rowOf = ({ encoder, leaseId, since, until }: ShownLease) => [
    encoder ?? '(removed)',
    leaseId,
    since,
    until ?? 'no end',
  ]
  const queued = (pin.queued ?? []).map(rowOf)
  const rows = [...pin.leases, ...pin.former].map(rowOf)
  const header = [pin.isLetGo ? 'WAS HELD BY' : 'HELD BY', 'LEASE ID', 'SINCE', 'UNTIL']
  const tables = [
    ...(rows.length > 0 || queued.length === 0 ? [table(header, rows)] : []),
    ...(queued.length > 0 ? [table(['WAITS FOR', ...header.slice(1)], queued)] : []),
  ]
  return `${lines.join('\n')}\n\n${tables.join('\n')}`
}
