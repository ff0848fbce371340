/** Scans a cluster's host: which of its ports answer, and which of them without a credential. */
import { request } from 'undici'
import { boundedText, connectFault } from '../ask-admin.js'

/** A cluster's own information. */
export interface ClusterFound {
  readonly version: string
  readonly peername: string
  /** Live peers, itself among them. */
  readonly peers: number
}

/** A port of the cluster that answers without a credential, and so bypasses the gate. */
export interface OpenPort {
  readonly url: string
  /** In words, with what any client can do there. */
  readonly what: string
}

const waitMs = 3000
const bytesMax = 1024 * 1024

/** Another program may use the port, and answer anything. */
type Said = {
  readonly version?: unknown
  readonly peername?: unknown
  readonly cluster_peers?: unknown
} | null

/** @returns in words why it found no cluster */
export async function findCluster(origin: string): Promise<ClusterFound | string> {
  try {
    const version = await ask('GET', `${origin}/version`)
    if (version.status === 401) return 'it asks for a credential: username and passwordFile'
    const found = JSON.parse(version.text) as Said
    if (version.status !== 200 || typeof found?.version !== 'string')
      return 'what answers is not a cluster'
    const id = JSON.parse((await ask('GET', `${origin}/id`)).text) as Said
    return {
      version: found.version,
      peername: typeof id?.peername === 'string' ? id.peername : '',
      peers: Array.isArray(id?.cluster_peers) ? id.cluster_peers.length : 0,
    }
  } catch (error) {
    if (error instanceof SyntaxError) return 'what answers is not a cluster'
    const fault = connectFault(new URL(origin).host, error, waitMs)
    return `${fault} (is ipfs-cluster running?)`
  }
}

/**
 * The ports that `ipfs-cluster-service init` opens: REST API 9094, IPFS proxy 9095, pinning service
 * 9097. The scan sends cheap reads only: a port is open when it answers without a credential, with
 * whatever status.
 */
export async function findOpenPorts(host: string, ports: Ports = usualPorts): Promise<OpenPort[]> {
  const found = await Promise.all(
    portProbes.map(async ({ name, method, path, what }) => {
      const port = ports[name]
      if (port === undefined) return undefined
      const url = `http://${host}:${port}`
      const status = await ask(method, url + path).then(
        (answer) => answer.status,
        () => 401,
      )
      return status === 401 || status === 403 ? undefined : { url, what }
    }),
  )
  return found.filter((port) => port !== undefined)
}

/** The ports that are scanned; see `cluster.service.json`. */
export type Ports = Readonly<Partial<Record<'rest' | 'proxy' | 'pinning', number>>>

/** The cluster's other APIs, which also change pins. */
export const sidePorts: Ports = { proxy: 9095, pinning: 9097 }

const usualPorts: Ports = { rest: 9094, ...sidePorts }

interface PortProbe {
  readonly name: keyof Ports
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly what: string
}

const portProbes: readonly PortProbe[] = [
  {
    name: 'rest',
    method: 'GET',
    path: '/version',
    what: "the cluster's REST API: pins, unpins and everything else",
  },
  {
    name: 'proxy',
    method: 'POST',
    path: '/api/v0/version',
    what: "the cluster's IPFS proxy: pins, unpins and adds",
  },
  {
    name: 'pinning',
    method: 'GET',
    path: '/pins?limit=1&cid=QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn',
    what: "the cluster's pinning service API: pins and unpins",
  },
]

async function ask(method: 'GET' | 'POST', url: string): Promise<{ status: number; text: string }> {
  const signal = AbortSignal.timeout(waitMs)
  const { statusCode, body } = await request(url, { method, signal })
  return { status: statusCode, text: await boundedText(body, bytesMax) }
}
