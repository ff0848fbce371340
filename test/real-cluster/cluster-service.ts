/** Real IPFS Cluster peers, CRDT, on loopback only, each beside a given Kubo. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Kubo } from './kubo.js'
import { freePort, Running, runOnce, temporaryFolder } from './processes.js'

export interface Login {
  readonly username: string
  readonly password: string
}

export interface RealCluster {
  readonly url: string
  readonly id: string
  readonly version: string
  /** Where other peers find it. */
  readonly address: string
  /** Whether it counts this peer as one of its cluster. */
  knows(peer: string): Promise<boolean>
  /** As by the kernel that is out of memory. */
  kill(): Promise<void>
  /** As by its service manager. */
  stop(): Promise<void>
  /**
   * Starts again what was ended, with its state, on the same ports; asks another one for news.
   *
   * @param program another release of it
   */
  comeBack(joins?: RealCluster, program?: string): Promise<void>
  /** A command of the program, such as `state export`, while it does not run. */
  command(...args: readonly string[]): Promise<string>
  /** Where its configuration and its state lie. */
  readonly folder: string
  /** It hangs until it is thawed. */
  freeze(): void
  thaw(): void
}

export interface Circumstances {
  /** What it asks of its callers. */
  readonly login?: Login | undefined
  /** The peer whose cluster it belongs to; one of its own where there is none. */
  readonly joins?: RealCluster
  /** Fields of the parts `cluster` and `consensus.crdt` of its configuration. */
  readonly settings?: { readonly cluster?: object; readonly crdt?: object }
  /** Of its REST API; a free one when absent. */
  readonly restPort?: number
  /** Where its folder is made. */
  readonly within?: string | undefined
}

interface ServiceConfig {
  readonly cluster: object
  readonly consensus: { readonly crdt: object }
  readonly api: { readonly restapi: object }
}

export const peername = '160TB-SuperNode'

export async function startCluster(
  t: Test,
  program: string,
  kubo: Kubo,
  { login, joins, settings = {}, within, restPort }: Circumstances = {},
): Promise<RealCluster> {
  const folder = temporaryFolder(within)
  const variables = { IPFS_CLUSTER_PATH: folder }
  await runOnce(program, ['init', '--consensus', 'crdt'], variables)
  const ports = { rest: restPort ?? (await freePort()), swarm: await freePort(), kubo: kubo.port }
  shutIn(join(folder, 'service.json'), ports, login, settings)
  const url = `http://127.0.0.1:${ports.rest}`
  const authorization = login && `Basic ${btoa(`${login.username}:${login.password}`)}`
  const ask = async () => {
    const headers = { ...(authorization && { authorization }) }
    const answer = await fetch(`${url}/id`, { headers, signal: AbortSignal.timeout(2000) })
    return (await answer.json()) as { id: string; version: string; cluster_peers: string[] }
  }
  let release = program
  const run = async (other: RealCluster | undefined) => {
    const args = other === undefined ? [] : ['--bootstrap', other.address]
    const daemon = new Running(release, ['daemon', ...args], variables, folder)
    await daemon.ready(async () => {
      const { id, cluster_peers: peers } = await ask()
      return other === undefined || (peers.includes(other.id) && (await other.knows(id)))
    })
    return daemon
  }
  let daemon = await run(joins)
  t.teardown(() => daemon.stopAndRemove())
  const { id, version } = await ask()
  return {
    url,
    id,
    version,
    address: `/ip4/127.0.0.1/tcp/${ports.swarm}/p2p/${id}`,
    knows: async (peer) => (await ask()).cluster_peers.includes(peer),
    kill: () => daemon.kill(),
    stop: () => daemon.stop(),
    comeBack: async (other, changed = release) => {
      release = changed
      daemon = await run(other)
    },
    command: (...args) => runOnce(release, args, variables),
    folder,
    freeze: () => {
      daemon.freeze()
    },
    thaw: () => {
      daemon.thaw()
    },
  }
}

/** The same for all: peers meet only if one knows the other's address. */
const secret = '70696e77617264656e'.padEnd(64, '0')

/**
 * Only the REST API is left, and the service looks for no peers. It still asks the local router
 * for port mappings, which cannot be switched off; it has none to map, as it listens on loopback.
 */
function shutIn(
  path: string,
  ports: Readonly<Record<'rest' | 'swarm' | 'kubo', number>>,
  login: Login | undefined,
  settings: NonNullable<Circumstances['settings']>,
): void {
  const config = JSON.parse(readFileSync(path, 'utf8')) as ServiceConfig
  const shut = {
    ...config,
    cluster: {
      ...config.cluster,
      peername,
      secret,
      listen_multiaddress: [`/ip4/127.0.0.1/tcp/${ports.swarm}`],
      // The cluster publishes nothing; its peers get the address explicitly.
      announce_multiaddress: ['/ip4/203.0.113.10/tcp/9096', '/ip4/127.0.0.1/tcp/9096'],
      enable_relay_hop: false,
      mdns_interval: '0s',
      // A peer that no ping is heard of is not asked any more.
      monitor_ping_interval: '1s',
      ...settings.cluster,
    },
    consensus: {
      crdt: { ...config.consensus.crdt, rebroadcast_interval: '2s', ...settings.crdt },
    },
    api: {
      restapi: {
        ...config.api.restapi,
        http_listen_multiaddress: `/ip4/127.0.0.1/tcp/${ports.rest}`,
        basic_auth_credentials: login === undefined ? null : { [login.username]: login.password },
      },
    },
    ipfs_connector: { ipfshttp: { node_multiaddress: `/ip4/127.0.0.1/tcp/${ports.kubo}` } },
  }
  writeFileSync(path, JSON.stringify(shut))
}
