/** A whole host: Kubo, a cluster of one peer or two, and the daemon in front. Each may end. */
import { join } from 'node:path'
import type { Test } from 'tap'
import { readLease } from '../../src/leases/lease.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { leaseIdOf } from '../../src/settings/values/lease-id.js'
import { type Daemon, startDaemon } from '../support/daemon.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { type Ended, pinwarden } from '../support/pinwarden.js'
import { binaries } from './binaries.js'
import { type Circumstances, type RealCluster, startCluster } from './cluster-service.js'
import { type Kubo, startKubo } from './kubo.js'
import { temporaryFolder } from './processes.js'
import { forEach, must } from './scenario.js'

export const programs = binaries()
export const encoders = ['alpha', 'beta', 'gamma'] as const
export type Encoder = (typeof encoders)[number]

export interface Answered {
  /** 0: there was no answer. */
  readonly status: number
  readonly text: string
}

export interface HostOptions {
  readonly peers?: 1 | 2
  readonly settings?: Circumstances['settings']
  /** Over those of the daemon that suit the scenarios. */
  readonly config?: object
  /** Where cluster and gate keep what they have; Kubo keeps it elsewhere. */
  readonly within?: string
  /** Where the first peer finds the Kubo of this port. */
  readonly kuboPort?: (port: number) => Promise<number>
}

export interface Host {
  /** One for each peer. */
  readonly kubos: readonly [Kubo, ...Kubo[]]
  readonly peers: readonly [RealCluster, ...RealCluster[]]
  readonly gate: Gate
  /** What the state of a peer has of a CID; undefined: nothing. */
  record(cid: string, peer?: RealCluster): Promise<PinState | undefined>
  /** CIDs whose record at a peer lacks a lease of the encoder. */
  lacking(cids: Iterable<string>, encoder?: Encoder, peer?: RealCluster): Promise<string[]>
}

export interface PinState {
  readonly name: string
  readonly expire_at: string
  readonly metadata: Readonly<Record<string, string>> | null
}

/** The daemon, over all of its runs. */
export class Gate {
  readonly keys = Object.fromEntries(encoders.map((name) => [name, generateKey()]))
  readonly folder: string
  private daemon: Daemon | undefined
  private url = ''
  private configPath = ''

  constructor(
    private readonly t: Test,
    private readonly config: () => object,
    within: string | undefined,
  ) {
    this.folder = temporaryFolder(within)
  }

  async start(): Promise<void> {
    const { daemon, url, configPath } = await startDaemon(this.t, this.config())
    Object.assign(this, { daemon, url, configPath })
  }

  /** As by the kernel that is out of memory. */
  async kill(): Promise<void> {
    this.daemon?.process.kill('SIGKILL')
    await this.daemon?.exited
  }

  /** It answers nothing more until it is killed. */
  freeze(): void {
    this.daemon?.process.kill('SIGSTOP')
  }

  /** As by its service manager. */
  async stop(): Promise<void> {
    this.daemon?.process.kill('SIGTERM')
    await this.daemon?.exited
  }

  async ask(method: string, path: string, as: Encoder = 'alpha'): Promise<Answered> {
    try {
      const answer = await fetch(this.url + path, {
        method,
        headers: { authorization: `Bearer ${this.keys[as] ?? ''}` },
        signal: AbortSignal.timeout(60_000),
      })
      return { status: answer.status, text: await answer.text() }
    } catch {
      return { status: 0, text: '' }
    }
  }

  /** A command of the command line, for this daemon. */
  command(...args: readonly string[]): Promise<Ended> {
    return pinwarden(...args, '--config', this.configPath)
  }

  /** Lines of the log of this run, with this message. */
  linesOf(msg: string) {
    return this.daemon?.lines().filter((line) => line.msg === msg) ?? []
  }

  /** Resolves with the line of this run, the first or a later one. */
  async logged(msg: string, index = 0) {
    if (this.daemon === undefined) throw new Error('the gate does not run')
    return this.daemon.logged(msg, index)
  }
}

const plenty = { max: 1_000_000, windowSeconds: 60 }

export async function startHost(
  t: Test,
  { peers: count = 1, settings, config = {}, kuboPort, within }: HostOptions = {},
): Promise<Host> {
  const kubo = await startKubo(t, programs.kubo)
  const port = (await kuboPort?.(kubo.port)) ?? kubo.port
  const one = await startCluster(
    t,
    programs.service,
    { ...kubo, port },
    { ...(settings && { settings }) },
  )
  const kubos: [Kubo, ...Kubo[]] = [kubo]
  const peers: [RealCluster, ...RealCluster[]] = [one]
  if (count === 2) {
    const other = await startKubo(t, programs.kubo)
    kubos.push(other)
    const joining = { joins: one, ...(settings && { settings }) }
    peers.push(await startCluster(t, programs.service, other, joining))
  }
  const { cluster, ...rest } = config as { readonly cluster?: object }
  const gate: Gate = new Gate(
    t,
    () => ({
      listen: { port: 0 },
      cluster: {
        endpoints: peers.map(({ url }) => ({ url })),
        health: { intervalMs: 1000, timeoutMs: 500 },
        writeTimeoutMs: 5000,
        ...cluster,
      },
      admin: { host: '127.0.0.1', port: 0 },
      control: { socket: join(gate.folder, 'control.sock') },
      ledger: { directory: join(gate.folder, 'state') },
      limits: { reads: plenty, writes: plenty, listings: plenty, inFlight: 1000 },
      enforcement: 'enforce',
      onOutage: 'journal',
      journal: { directory: join(gate.folder, 'journal'), perSecondMax: 10_000 },
      encoders: Object.fromEntries(
        encoders.map((name) => [
          name,
          { keys: [{ id: 'k', sha256: digestOf(gate.keys[name] ?? '') }] },
        ]),
      ),
      ...rest,
    }),
    within,
  )
  await gate.start()
  const record = async (cid: string, { url }: RealCluster = one) => {
    const answer = await fetch(`${url}/allocations/${cid}`)
    return answer.status === 200 ? ((await answer.json()) as PinState) : undefined
  }
  return {
    kubos,
    peers,
    gate,
    record,
    lacking: async (cids, encoder = 'alpha', peer) => {
      const lacking: string[] = []
      for (const cid of cids)
        if (!holdersOf(await record(cid, peer)).includes(leaseIdOf(encoder))) lacking.push(cid)
      return lacking
    },
  }
}

/** Whose live leases a record has. */
export function holdersOf(state: PinState | undefined): string[] {
  return Object.entries(state?.metadata ?? {}).flatMap(([key, value]) => {
    const entry = readLease(key, value)
    return entry?.kind === 'lease' ? [entry.lease.holder] : []
  })
}

/** Pins each CID, some at once. @throws unless each answer has one of the statuses */
export function pinAll(
  { gate }: Pick<Host, 'gate'>,
  cids: Iterable<string>,
  as: Encoder = 'alpha',
  query = '',
  statuses: readonly number[] = [200],
): Promise<void> {
  return forEach(cids, 8, async (cid) => {
    const { status, text } = await gate.ask('POST', `/pins/${cid}${query}`, as)
    must(statuses.includes(status), `POST by ${as}: ${status} ${text.trim()}`)
  })
}

export const cidsFrom = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => generatedCid(first + index))
