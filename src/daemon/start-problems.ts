/**
 * Problems that would end a start, found without opening anything: directories that cannot be
 * written, addresses that are in use. `serve` and `check` share this code, so they always agree.
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, isIP } from 'node:net'
import { dirname, join } from 'node:path'
import { notSocket, socketHolder } from '../admin/socket.js'
import {
  appendFault,
  directoryFault,
  fullFault,
  newDirectoryFault,
  notFileFault,
  readFault,
  roomFault,
} from '../disk/access.js'
import {
  lastWritesDirectory,
  ledgerDirectory,
  ledgerName,
  leftLedger,
} from '../ledger/ledger-directory.js'
import { ConfigError, type Problem } from '../settings/problems.js'
import type { Config } from '../settings/schema/schema.js'
import { addressesOf, refusePlainHttp } from './plain-http.js'
import { portHolders } from './port-holder.js'

export interface StartPlace {
  /** Directory for what outlives the daemon. */
  readonly stateDirectory: string | undefined
  /** Path of the control socket; undefined: without one. */
  readonly controlSocket: string | undefined
  /** systemd listens on the public port; undefined: the daemon does. */
  readonly passedHost?: string | undefined
  /** Directories that systemd creates before it starts the daemon. */
  readonly createdAtStart?: readonly string[]
  /**
   * Whether the daemon of these settings holds it, which is then no fault. Absent: it is a
   * problem, and the ledger is opened next, so that it is not tried before.
   */
  readonly isOwn?: (held: Held) => Promise<boolean>
}

/** Resources that only one process can hold. */
export type Listener =
  | { readonly kind: 'public' | 'admin'; readonly host: string; readonly port: number }
  | { readonly kind: 'admin' | 'control'; readonly socket: string }

export type Held = Listener | { readonly kind: 'ledger' }

/** @returns all problems; none: the daemon would listen */
export async function startProblems(config: Config, place: StartPlace): Promise<Problem[]> {
  const { listen, admin, log } = config
  const addresses =
    place.passedHost === undefined ? await addressesOf(listen.host) : [place.passedHost]
  const isFree = (path: string, listener: Listener): Promise<readonly Problem[]> =>
    listenerProblems(path, listener, place.isOwn ?? (() => Promise.resolve(false)))
  const isMade = (path: string): boolean =>
    place.createdAtStart?.some((own) => `${path}/`.startsWith(`${own}/`) && !existsSync(own)) ===
    true
  const socket = async (path: string, kind: 'admin' | 'control', at: string) =>
    isMade(at) ? [] : isFree(path, { kind, socket: at })
  return [
    ...plainHttpProblems(config, addresses, place.passedHost !== undefined),
    ...(log.file === undefined || isMade(log.file) ? [] : said('log.file', appendFault(log.file))),
    ...(await ledgerProblems(config, place, isMade)),
    ...(place.controlSocket === undefined
      ? []
      : await socket('control.socket', 'control', place.controlSocket)),
    ...(admin === undefined
      ? []
      : admin.socket === undefined
        ? await isFree('admin', { kind: 'admin', ...admin })
        : await socket('admin.socket', 'admin', admin.socket)),
    ...(place.passedHost === undefined
      ? await isFree('listen', { kind: 'public', ...listen })
      : []),
  ]
}

/** Problems that a start survives, with less service. */
export function startWarnings(config: Config, stateDirectory: string | undefined): string[] {
  const { log, listing } = config
  const ledger = ledgerDirectory(config, stateDirectory)
  const mayCome = [
    ['ledger.directory', ledger],
    ['log.file', log.file && dirname(log.file)],
  ] as const
  const places = mayCome.filter(([, place]) => place !== undefined && existsSync(place))
  const rooms = [...places, ['listing.directory', listing.directory] as const]
  const left = leftLedger(config, stateDirectory)
  return [
    ...rooms.flatMap(([path, place]) => {
      const fault = place === undefined ? undefined : roomFault(place)
      return fault === undefined ? [] : [`${path}: ${fault}`]
    }),
    ...(left === undefined ? [] : [`ledger.directory: ${leftBehind(left)}`]),
  ]
}

const leftBehind = (directory: string): string =>
  `the gate begins a new ledger, though ${directory} has one: if that is this gate's, stop the ` +
  'gate and move all ledger.* files'

const said = (path: string, says: string | undefined): Problem[] =>
  says === undefined ? [] : [{ path, found: says, expected: 'another place', says }]

function plainHttpProblems(
  { listen }: Config,
  addresses: readonly string[],
  isPassed: boolean,
): readonly Problem[] {
  try {
    refusePlainHttp(listen, addresses, isPassed)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

async function ledgerProblems(
  config: Config,
  { stateDirectory, isOwn }: StartPlace,
  isMade: (path: string) => boolean,
): Promise<Problem[]> {
  const directory = ledgerDirectory(config, stateDirectory)
  if (directory === undefined || isMade(directory)) return []
  const isJournal = config.ledger === undefined && config.journal.directory === directory
  const path = isJournal ? 'journal.directory' : 'ledger.directory'
  const fault = newDirectoryFault(directory)
  if (fault !== undefined) return said(path, fault)
  if (directoryFault(directory) !== undefined) return []
  const lastWrites = lastWritesDirectory(config, stateDirectory)
  const fileFault = ledgerFileFault(directory, [
    join(config.journal.directory, 'journal'),
    ...(lastWrites === undefined ? [] : [join(lastWrites, 'last-writes')]),
  ])
  if (fileFault !== undefined || isOwn === undefined) return said(path, fileFault)
  const { isLedgerHeld } = await import('../ledger/storage/open-database.js')
  const file = join(directory, ledgerName)
  if (!isLedgerHeld(file) || (await isOwn({ kind: 'ledger' }))) return []
  return said(path, `another daemon uses the ledger in ${directory}: fuser ${file} shows which`)
}

/** @param others files of an older release */
function ledgerFileFault(directory: string, others: readonly string[]): string | undefined {
  const at = (name: string): string => join(directory, name)
  const written = ['', '-wal', '-shm'].map((suffix) => at(ledgerName + suffix))
  const read = [at('several-peers'), ...others]
  const all = [...written, ...read, at('ledger.reserve')]
  const faults = [
    ...all.map(notFileFault),
    ...written.filter(existsSync).map(appendFault),
    ...read.filter(existsSync).map(readFault),
  ]
  return faults.find((fault) => fault !== undefined)
}

async function listenerProblems(
  path: string,
  listener: Listener,
  isOwn: (held: Held) => Promise<boolean>,
): Promise<readonly Problem[]> {
  if ('socket' in listener) {
    const { socket } = listener
    const fault = directoryFault(dirname(socket))
    if (fault !== undefined) return said(path, fault)
    const holder = await socketHolder(socket)
    if (holder === 'file') return said(path, notSocket(socket))
    if (holder === 'nothing') return said(path, fullFault(dirname(socket)))
    if (holder !== 'listener' || (await isOwn(listener))) return []
    return said(path, `another program listens at ${socket}: ss -lxp shows which`)
  }
  const code = await refusedAt(listener)
  if (code === undefined || (code === 'EADDRINUSE' && (await isOwn(listener)))) return []
  const field = code === 'EADDRINUSE' || code === 'EACCES' ? 'port' : 'host'
  return said(`${path}.${field}`, whyNotFree(code, listener))
}

/** @param code of the system's error of listening there */
export function whyNotFree(code: string, { host, port }: { host: string; port: number }): string {
  if (code === 'EADDRINUSE')
    return `another program listens on port ${port} of ${host}: ${holderText(port)}`
  if (code === 'EADDRNOTAVAIL')
    return `${host} is not an address of this machine: ip address shows them`
  if (code === 'EACCES')
    return (
      `this user may not listen on port ${port}: ports below 1024 need the capability ` +
      'CAP_NET_BIND_SERVICE, or pinwarden.socket'
    )
  return `${isIP(host) === 0 ? `the name ${host}` : host} cannot be listened on (${code})`
}

function holderText(port: number): string {
  const [holder] = portHolders(port)
  if (holder === undefined) return 'ss -ltnp shows which'
  const { program, settingsFile, pid } = holder
  return `${program}${settingsFile === undefined ? '' : ` with ${settingsFile}`}, process ${pid}`
}

/** @returns the system's error code; undefined: the address is free */
export async function refusedAt({
  host,
  port,
}: {
  host: string
  port: number
}): Promise<string | undefined> {
  const server = createServer()
  try {
    const listening = once(server, 'listening')
    server.listen({ host, port })
    await listening
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'an error'
  } finally {
    server.close()
  }
}
