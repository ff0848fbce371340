/** `pinwarden init`: inspects this host and writes a configuration for it. */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { findCluster, findOpenPorts, sidePorts } from './host-scan.js'
import { configFrom, settingsFrom } from '../../settings/load.js'
import { newLeaseId } from '../../settings/values/lease-id.js'
import type { Config } from '../../settings/schema/schema.js'
import { isLoopback } from '../../settings/values/network.js'
import { bracketed } from '../gate-url.js'
import type { Io } from '../io.js'
import { newKey } from '../keys/new-key.js'
import { addressesSeen, publicAddress, refuseIfTaken } from './public-address.js'
import { type LeaseIds, leaseIdsIn, knownText } from '../known-holder.js'
import { ledgerPath, type LedgerSource, readQueue } from '../read-ledger.js'
import { appendFault } from '../../disk/access.js'
import { fileFault, UsageError, warn, CommandError } from '../report.js'
import { lstat, open, rm, stat } from 'node:fs/promises'

export interface InitOptions {
  readonly configPath: string
  /** Name of the first encoder. */
  readonly encoder: string
  /** Address to listen on; undefined: the public one of this host. */
  readonly host: string | undefined
  readonly port: string
  /** Base URL of the cluster. */
  readonly cluster: string
  /** Files in PEM; undefined: they will be next to the configuration. */
  readonly cert: string | undefined
  readonly key: string | undefined
  /** Where a ledger is, or will be; undefined: in the usual place. */
  readonly ledger: string | undefined
  /** Without TLS, also on a public address. */
  readonly plainHttp: boolean
  /** Base URL that encoders reach the gate at. */
  readonly endpoint: string | undefined
}

export async function init(options: InitOptions, io: Io): Promise<number> {
  const { configPath, encoder, endpoint, port } = options
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new UsageError(`--port ${port} is not a port`, '0 to 65535; 9098 is usual')
  await refuseIfThere(configPath)
  const host = options.host ?? publicAddress()
  const { stored, show } = newKey(
    { encoder, endpoint, expires: undefined, note: undefined },
    new Date(),
  )
  const ledgerConfig = ledgerConfigOf(options)
  // A ledger that an option names is not that of a daemon in the usual place.
  const source = options.ledger === undefined ? 'settings' : 'file'
  const known = await knownOrRefused(ledgerConfig, source)
  const draft = draftOf(options, host, stored, known)
  const text = `${JSON.stringify(draft, null, 2)}\n`
  // The files are checked if options say where they are.
  const config =
    options.cert === undefined
      ? configFrom(text)
      : settingsFrom(text, dirname(configPath)).snapshot.config
  await refuseIfTaken(host, config.listen.port)
  await scanHost(options.cluster, host, io)
  // Nothing may fail between the file and the key, which is shown only once.
  if (known.size > 0) await warnOfQueue(ledgerConfig, source, io)
  await createFile(configPath, text)
  printKnown(encoder, known, io)
  io.stdout.write(`wrote ${configPath}: listens on ${bracketed(host)}:${config.listen.port}\n`)
  show(config, io, [`# The first key, of encoder ${encoder}, without expiry.`])
  io.stdout.write(nextSteps(options, draft.listen.tls))
  return 0
}

/** Finds an existing ledger, whose settings were lost. */
function ledgerConfigOf({ ledger, cluster }: InitOptions): Config {
  const settings = { cluster: { endpoints: [{ url: cluster }] }, ...ledgerField(ledger) }
  return configFrom(JSON.stringify(settings))
}

/**
 * LeaseIds by the encoder's name; none if there is no ledger.
 * @throws CommandError it cannot be read: new leaseIds would leave its pins without encoders
 */
async function knownOrRefused(config: Config, source: LedgerSource): Promise<LeaseIds> {
  try {
    return await leaseIdsIn(config, source)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new CommandError(
      `the leaseIds in ${ledgerPath(config)} cannot be read: ${error.message}`,
      'stop the daemon that has this ledger, or try it with sudo; --ledger names another one',
    )
  }
}

/** A key that is not in the settings may have been revoked: the gate writes none of its pins. */
async function warnOfQueue(config: Config, source: LedgerSource, io: Io): Promise<void> {
  const queue = await readQueue(config, source)
  const waiting = queue.filter(({ rejection }) => rejection === undefined)
  if (waiting.length === 0) return
  const count =
    waiting.length === 1 ? '1 accepted pin waits' : `${waiting.length} accepted pins wait`
  warn(
    io,
    `${count} in the queue, for keys of the lost settings: the gate will drop them. pinwarden ` +
      'journal list shows whom to ask to pin again',
  )
}

const ledgerField = (directory: string | undefined) =>
  directory === undefined ? {} : { ledger: { directory: resolve(directory) } }

function printKnown(encoder: string, known: LeaseIds, io: Io): void {
  const found = known.get(encoder)
  if (found !== undefined) io.stdout.write(`${knownText(encoder, found)}\n`)
  const others = [...known.keys()].filter((name) => name !== encoder).sort()
  if (others.length === 0) return
  const names = others.slice(0, namesShown).join(', ') + (others.length > namesShown ? ' …' : '')
  io.stdout.write(
    `the ledger knows ${others.length} more: ${names}. They are written with their leaseIds, ` +
      'but without keys: pinwarden keys add NAME makes one\n',
  )
}

const namesShown = 10

function draftOf(options: InitOptions, host: string, key: object, known: LeaseIds) {
  const { encoder, cluster, ledger } = options
  const others = [...known].filter(([name]) => name !== encoder).sort()
  if ((options.cert === undefined) !== (options.key === undefined))
    throw new UsageError('--cert and --key go together')
  const tls = tlsOf(options, host)
  const schema = schemaFiles.find((file) => existsSync(file))
  return {
    ...(schema === undefined ? {} : { $schema: schema.href }),
    listen: {
      host,
      port: Number(options.port),
      ...(options.endpoint === undefined ? {} : { publicUrl: options.endpoint }),
      ...(tls === undefined ? {} : { tls }),
      ...(tls === undefined && !isLoopback(host) ? { allowPlainHttp: true } : {}),
    },
    admin: {},
    cluster: { endpoints: [{ url: cluster }] },
    ...ledgerField(ledger),
    encoders: {
      [encoder]: { leaseId: known.get(encoder) ?? newLeaseId(), keys: [key] },
      ...Object.fromEntries(others.map(([name, leaseId]) => [name, { leaseId, keys: [] }])),
    },
  }
}

/** For editors: of a checkout or a release, and of the package. */
const schemaFiles = [
  new URL('../../../../config.schema.json', import.meta.url),
  new URL('file:///usr/share/doc/pinwarden/config.schema.json'),
]

function tlsOf({ cert, key, plainHttp }: InitOptions, host: string) {
  if (cert !== undefined && key !== undefined)
    return { certFile: resolve(cert), keyFile: resolve(key) }
  // Safe on loopback; on a public address, plain HTTP needs its own option.
  return plainHttp || isLoopback(host)
    ? undefined
    : { certFile: 'fullchain.pem', keyFile: 'privkey.pem' }
}

/** Reports what it found; no finding prevents the configuration. */
async function scanHost(cluster: string, host: string, io: Io): Promise<void> {
  const found = await findCluster(cluster)
  if (typeof found === 'string') {
    warn(io, `no cluster at ${cluster}: ${found}. If it is elsewhere: --cluster URL`)
  } else {
    const { version, peername, peers } = found
    const count = `${peers} ${peers === 1 ? 'peer' : 'peers'}`
    io.stdout.write(`found the cluster at ${cluster}: version ${version}, ${peername}, ${count}\n`)
  }
  // The open REST API on loopback is the reason for the gate.
  for (const { url, what } of await findOpenPorts('127.0.0.1', sidePorts))
    warn(io, `${url} does not ask for a credential: ${what} are open to every user of this host`)
  const seen = addressesSeen(host)
  const open = await Promise.all(seen.map((address) => findOpenPorts(bracketed(address))))
  for (const { url, what } of open.flat())
    warn(
      io,
      `${url} does not ask for a credential: ${what} are open to EVERYBODY without a firewall`,
    )
}

function nextSteps({ configPath, cert }: InitOptions, tls: object | undefined): string {
  const config = configPath === '/etc/pinwarden/config.json' ? '' : ` --config ${configPath}`
  const steps = [
    ...(tls !== undefined && cert === undefined
      ? [
          `put the certificate and its key as fullchain.pem and privkey.pem into ` +
            `${dirname(configPath)}, readable by the group pinwarden`,
        ]
      : []),
    `pinwarden check${config}`,
    `systemctl enable --now pinwarden, or: pinwarden serve${config}`,
    'on the encoder\'s machine: curl "$IPFS_CLUSTER_ENDPOINT/id", or pinwarden probe',
  ]
  return `next:\n${steps.map((step, index) => `  ${index + 1}. ${step}\n`).join('')}`
}

/** @throws CommandError when something stands there already */
export async function refuseIfThere(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found !== undefined) throw there(path)
}

/** With mode 0640 and the group of its directory, which is the daemon's. */
export async function createFile(path: string, text: string): Promise<void> {
  const directory = await stat(dirname(path)).catch(() => undefined)
  if (directory === undefined)
    throw new CommandError(`there is no directory ${dirname(path)}`, 'create it, or use --config')
  const file = await open(path, 'wx', 0o640).catch((error: unknown) => {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    if (isThere) throw there(path)
    throw new CommandError(appendFault(path) ?? fileFault(path, error, 'write to').message)
  })
  try {
    // Only root may change a file's owner, and only root has to: others write into their own
    // directory.
    if (process.getuid?.() === 0) await file.chown(0, directory.gid)
    await file.chmod(0o640)
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

const there = (path: string) =>
  new CommandError(`${path} already exists`, 'change it with keys add, or an editor')
