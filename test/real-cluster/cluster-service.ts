/** A real IPFS Cluster peer of its own: one peer, CRDT, on loopback only, beside a given Kubo. */
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
}

interface ServiceConfig {
  readonly cluster: object
  readonly api: { readonly restapi: object }
}

export const peername = '160TB-SuperNode'

export async function startCluster(
  t: Test,
  program: string,
  kubo: Kubo,
  login?: Login,
): Promise<RealCluster> {
  const folder = temporaryFolder()
  const variables = { IPFS_CLUSTER_PATH: folder }
  await runOnce(program, ['init', '--consensus', 'crdt'], variables)
  const restPort = await freePort()
  await shutIn(join(folder, 'service.json'), restPort, kubo.port, login)
  const daemon = new Running(program, ['daemon'], variables, folder)
  t.teardown(() => daemon.stopAndRemove())

  const url = `http://127.0.0.1:${restPort}`
  const authorization = login && `Basic ${btoa(`${login.username}:${login.password}`)}`
  const ask = async (path: string) => {
    const answer = await fetch(url + path, { headers: { ...(authorization && { authorization }) } })
    return (await answer.json()) as { id: string; version: string }
  }
  await daemon.ready(async () => (await ask('/id')).id !== '')
  const { id, version } = await ask('/id')
  return { url, id, version }
}

/**
 * The REST API is the only one left, and nobody is looked for. That it asks the local router
 * whether it maps ports cannot be switched off; it has none to map, as it listens on loopback.
 */
async function shutIn(
  path: string,
  restPort: number,
  kuboPort: number,
  login: Login | undefined,
): Promise<void> {
  const config = JSON.parse(readFileSync(path, 'utf8')) as ServiceConfig
  const shut = {
    ...config,
    cluster: {
      ...config.cluster,
      peername,
      listen_multiaddress: [`/ip4/127.0.0.1/tcp/${await freePort()}`],
      // What a cluster shows of itself; nobody is there to be told.
      announce_multiaddress: ['/ip4/203.0.113.10/tcp/9096', '/ip4/127.0.0.1/tcp/9096'],
      enable_relay_hop: false,
      mdns_interval: '0s',
    },
    api: {
      restapi: {
        ...config.api.restapi,
        http_listen_multiaddress: `/ip4/127.0.0.1/tcp/${restPort}`,
        basic_auth_credentials: login === undefined ? null : { [login.username]: login.password },
      },
    },
    ipfs_connector: { ipfshttp: { node_multiaddress: `/ip4/127.0.0.1/tcp/${kuboPort}` } },
  }
  writeFileSync(path, JSON.stringify(shut))
}
