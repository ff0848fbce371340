/** A real gate in front of a fake cluster, both on ports of their own, closed after the test. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { AccessLine } from '../../src/log/access-line.js'
import { assemble } from '../../src/daemon/assemble.js'
import type { Daemon } from '../../src/daemon/daemon.js'
import { type Log, openLog } from '../../src/log/log.js'
import type { PinEvent } from '../../src/tracking/tracked-pin.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import type { Snapshot } from '../../src/settings/snapshot.js'
import { certificate } from './certificate.js'
import { type FakeCluster, startFakeCluster } from './fake-cluster/index.js'
import { head } from './raw.js'
import { snapshotFrom } from './snapshot-from.js'

/** What a test sets differently; merged over settings that never get in a test's way. */
export interface Overrides {
  readonly listen?: object
  readonly cluster?: object
  readonly limits?: object
  readonly listing?: object
  readonly enforcement?: 'off' | 'observe' | 'enforce'
  readonly unpin?: object
  readonly onOutage?: 'refuse' | 'journal'
  readonly journal?: object
  readonly fallback?: object
  readonly store?: object
  /** Beside the settings, by their names. */
  readonly files?: Readonly<Record<string, string>>
  readonly retentionDays?: object
  /** Name → fields of the encoder; each gets a key. `alpha` always exists. */
  readonly encoders?: Readonly<Record<string, object>>
  readonly tls?: boolean
  /** The credential that the cluster requires, which the gate gets. */
  readonly clusterLogin?: { readonly username: string; readonly password: string }
  /** What the gate may keep beyond its end. */
  readonly stateDirectory?: string
  readonly log?: { readonly file: string; readonly bufferBytesMax: number }
  /** Another upstream than the fake cluster. */
  readonly clusterUrl?: string
}

export interface TestGate {
  readonly url: string
  readonly port: number
  readonly cluster: FakeCluster
  /** One line per request, in the order in which they ended. */
  readonly lines: readonly AccessLine[]
  /** The first line, also a future one, that fits. */
  line(fits?: (line: AccessLine) => boolean): Promise<AccessLine>
  /** The first line beside those of requests, also a future one, with this message. */
  logged(message: string): Promise<Readonly<Record<string, unknown>>>
  /** The test's keys, by encoder. */
  readonly keys: Readonly<Record<string, string>>
  /** The first event of a pin that fits, also a future one. */
  pinEvent(fits?: (event: PinEvent) => boolean): Promise<PinEvent>
  /** Authorization header of an encoder. */
  basic(encoder?: string): string
  /** A raw request head with Host and alpha's credential. */
  head(requestLine: string, ...headers: readonly string[]): string
  /** Asks as an encoder; `alpha` unless another is named. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>
  /** What it knows of leases. */
  readonly ledger: Daemon['ledger']
  readonly retryQueue: Daemon['retryQueue']
  readonly queueReport: Daemon['queueReport']
  readonly ledgerReport: Daemon['ledgerReport']
  readonly storeReport: Daemon['storeReport']
  readonly endpoints: ReturnType<Daemon['endpoints']>
  readonly obstacles: Daemon['obstacles']
  readonly metrics: Daemon['metrics']
  readonly keyUses: Daemon['keyUses']
  /** Where it lies, if there is one. */
  readonly journalDirectory: string
  /** Puts other settings into force for the next request. */
  replace(overrides: Overrides): void
  /** Everything that was logged, access lines and all. Closes the log. */
  logText(): Promise<string>
  close(): Promise<void>
}

/** All headers that the cluster gets if it requires no credential. */
export const headersSent = [
  'accept',
  'accept-encoding',
  'connection',
  'host',
  'traceparent',
  'user-agent',
  'x-request-id',
]

export interface AskOptions {
  readonly as?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: unknown
}

export async function startGate(t: Test, overrides: Overrides = {}): Promise<TestGate> {
  const { clusterLogin } = overrides
  const cluster = await startFakeCluster(clusterLogin)
  const names = ['alpha', ...Object.keys(overrides.encoders ?? {})]
  const keys = Object.fromEntries(names.map((name) => [name, generateKey()]))
  // Not the test's own: a test may start several gates.
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-gate-'))
  const files = {
    'cert.pem': certificate.cert,
    'key.pem': certificate.key,
    password: `${clusterLogin?.password ?? 'unused'}\n`,
    ...overrides.files,
  }
  const write = (named: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(named)) writeFileSync(join(directory, name), text)
  }
  write(files)
  const journalDirectory = mkdtempSync(join(tmpdir(), 'pinwarden-journal-'))
  const settle = (changed: Overrides) => {
    write(changed.files ?? {})
    const journal = { directory: journalDirectory, ...changed.journal }
    return snapshotOf(cluster, keys, { ...changed, journal }, directory)
  }
  let snapshot = settle(overrides)

  const file = join(directory, 'log')
  const log = await openLog({ ...snapshot.config.log, level: 'debug', file, ...overrides.log })
  const watched = watchLines(log)
  const events = new Watched<PinEvent>()
  // The last one first: this one after the gate is closed.
  t.teardown(async () => {
    await cluster.close()
    await log.close()
    for (const each of [directory, journalDirectory]) rmSync(each, { recursive: true })
  })
  const state = { since: new Date(), isLastRefused: false, needRestart: [] }
  const tls =
    overrides.tls === true ? { ...certificate, minVersion: 'TLSv1.2' as const } : undefined
  const gate = await assemble({
    settings: { current: () => snapshot, tls, state },
    log: watched.log,
    onPinEvent: (event) => {
      events.add(event)
    },
    version: 'test',
    stateDirectory: overrides.stateDirectory,
  })
  let closing: Promise<void> | undefined
  const close = () => (closing ??= Promise.resolve(gate[Symbol.asyncDispose]()))
  t.teardown(close)

  const url = gate.url() ?? ''
  const basic = (encoder = 'alpha') =>
    `Basic ${Buffer.from(`${encoder}:${keys[encoder] ?? ''}`).toString('base64')}`
  return {
    url,
    port: Number(new URL(url).port),
    cluster,
    ledger: gate.ledger,
    retryQueue: gate.retryQueue,
    queueReport: () => gate.queueReport(),
    ledgerReport: () => gate.ledgerReport(),
    storeReport: () => gate.storeReport(),
    get endpoints() {
      return gate.endpoints()
    },
    metrics: gate.metrics,
    obstacles: gate.obstacles,
    keyUses: gate.keyUses,
    journalDirectory,
    lines: watched.lines,
    line: watched.line,
    logged: watched.logged,
    pinEvent: (fits = () => true) => events.find(fits),
    keys,
    basic,
    head: (requestLine, ...headers) =>
      head(requestLine, 'Host: gate', `Authorization: ${basic()}`, ...headers),
    ask: async (method, path, { as, headers, body, signal } = {}) => {
      const response = await fetch(url + path, {
        method,
        redirect: 'manual',
        headers: { authorization: basic(as), ...headers },
        ...(body !== undefined && { body }),
        ...(signal && { signal }),
      })
      return answerOf(response)
    },
    replace: (changed) => {
      snapshot = settle(changed)
      gate.apply(undefined)
    },
    logText: async () => {
      await close()
      await log.close()
      return readFileSync(file, 'utf8')
    },
    close,
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status: response.status, headers: response.headers, text, json }
}

const plenty = { max: 100_000, windowSeconds: 60 }

function snapshotOf(
  cluster: FakeCluster,
  keys: Readonly<Record<string, string>>,
  {
    listen,
    cluster: upstream,
    limits,
    listing,
    encoders,
    tls,
    enforcement = 'off',
    unpin = {},
    onOutage = 'refuse',
    journal,
    fallback,
    store = {},
    retentionDays = {},
    clusterUrl,
    clusterLogin,
  }: Overrides,
  baseDir: string,
): Snapshot {
  const withKeys = Object.entries(keys).map(
    ([name, key]) =>
      [name, { keys: [{ id: 'k1', sha256: digestOf(key) }], ...encoders?.[name] }] as const,
  )
  const login = clusterLogin && { username: clusterLogin.username, passwordFile: 'password' }
  const input = {
    listen: {
      lingerMs: 0,
      host: '127.0.0.1',
      port: 0,
      ...(tls === true && { tls: { certFile: 'cert.pem', keyFile: 'key.pem' } }),
      ...listen,
    },
    cluster: {
      endpoints: [{ url: clusterUrl ?? cluster.url, ...login }],
      // Faults are looked at one by one; where it matters, a test says otherwise.
      health: { intervalMs: 3_600_000, failuresMax: 1000 },
      ...upstream,
    },
    limits: {
      reads: plenty,
      writes: plenty,
      listings: plenty,
      inFlight: 1000,
      failures: { max: 1000 },
      ...limits,
    },
    // What a client asks for is then what the cluster is asked for.
    listing: { local: 'never', maxAgeMs: 0, ...listing },
    enforcement,
    unpin,
    onOutage,
    journal,
    ...(fallback && { fallback }),
    store,
    retentionDays,
    encoders: Object.fromEntries(withKeys),
  }
  return snapshotFrom(input, { baseDir })
}

/** Passes everything on to the real log, and lets a test wait for a line. */
function watchLines(log: Log) {
  const requests = new Watched<AccessLine>()
  const others = new Watched<Readonly<Record<string, unknown>>>()
  const telling = (level: 'info' | 'warn' | 'error' | 'fatal') => (fields: object, msg: string) => {
    log[level](fields, msg)
    others.add({ level, ...fields, msg })
  }
  const watching: Log = {
    ...log,
    access: (level, line) => {
      log.access(level, line)
      requests.add(line)
    },
    info: telling('info'),
    warn: telling('warn'),
    error: telling('error'),
    fatal: telling('fatal'),
  }
  return {
    log: watching,
    lines: requests.seen,
    line: (fits: (line: AccessLine) => boolean = () => true) => requests.find(fits),
    logged: (message: string) => others.find(({ msg }) => msg === message),
  }
}

/** Things as they come, and those who wait for one of them. */
class Watched<T> {
  readonly seen: T[] = []
  private readonly waiting = new Set<(thing: T) => void>()

  add(thing: T): void {
    this.seen.push(thing)
    for (const look of this.waiting) look(thing)
  }

  find(fits: (thing: T) => boolean): Promise<T> {
    const seen = this.seen.find(fits)
    if (seen !== undefined) return Promise.resolve(seen)
    return new Promise((resolve) => {
      const look = (candidate: T) => {
        if (!fits(candidate)) return
        this.waiting.delete(look)
        resolve(candidate)
      }
      this.waiting.add(look)
    })
  }
}
