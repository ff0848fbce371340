/** Checks what the daemon would use: the cluster and its clocks, the fallback, the store. */
import { request, Client } from 'undici'
import { boundedText, connectFault } from '../ask-admin.js'
import { Store } from '../../store/store.js'
import { isObject } from '../../cluster/json.js'
import type { Problem } from '../../settings/problems.js'
import type { Snapshot } from '../../settings/snapshot.js'

export interface OnlineAnswers {
  readonly answers: readonly Row[]
  readonly faults: readonly Problem[]
}

const waitMs = 5000
const bytesMax = 1024 * 1024
/** Leases depend on both clocks. */
const skewMaxMs = 5000

type Row = readonly [name: string, value: string]
type Answer = Row | Problem

export async function onlineAnswers(snapshot: Snapshot): Promise<OnlineAnswers> {
  const { cluster } = snapshot.config
  const found = await Promise.all([
    ...cluster.endpoints.map((_, index) => endpointAnswer(snapshot, index)),
    storeAnswer(snapshot),
  ])
  const kubo = await fallbackAnswer(snapshot)
  const all = [...found, kubo].filter((answer) => answer !== undefined)
  return {
    answers: all.filter((answer): answer is Row => !isFault(answer)),
    faults: all.filter(isFault),
  }
}

const isFault = (answer: Answer): answer is Problem => 'path' in answer

async function endpointAnswer(snapshot: Snapshot, index: number): Promise<Answer> {
  const path = `cluster.endpoints[${index}].url`
  const { url, socket } = endpointAt(snapshot, index)
  try {
    const { status, date, json, challenge } = await askEndpoint(snapshot, index, '/id')
    if (status === 401)
      return challenge.includes('pinwarden')
        ? fault(path, `a pinwarden answers at ${url}, not a cluster`)
        : fault(path, `the cluster at ${url} refuses this username and password, or asks for one`)
    if (status !== 200 || !isObject(json) || !Array.isArray(json.cluster_peers))
      return fault(path, `what answers at ${url} is not a cluster (status ${status})`)
    const skewMs = date - Date.now()
    if (Math.abs(skewMs) > skewMaxMs)
      return fault(
        path,
        `its clock differs by ${Math.round(skewMs / 1000)} s from this one: use NTP on both`,
      )
    const peers = json.cluster_peers.length
    const version = typeof json.version === 'string' ? json.version : 'unknown'
    return [
      'online',
      `${url} answers: version ${version}, ${peers} ${peers === 1 ? 'peer' : 'peers'}`,
    ]
  } catch (error) {
    return fault(path, `${whyNot(url, error, socket)}. Is ipfs-cluster running?`)
  }
}

async function fallbackAnswer(snapshot: Snapshot): Promise<Answer | undefined> {
  const url = snapshot.config.fallback?.kubo.url
  if (url === undefined) return undefined
  const path = 'fallback.kubo.url'
  try {
    const signal = AbortSignal.timeout(waitMs)
    const { body } = await request(`${url.replace(/\/$/, '')}/api/v0/id`, {
      method: 'POST',
      signal,
    })
    const own = JSON.parse(await boundedText(body, bytesMax)) as { readonly ID?: unknown }
    const { json } = await askEndpoint(snapshot, 0, '/id')
    const ipfs = isObject(json) && isObject(json.ipfs) ? json.ipfs.id : undefined
    if (own.ID === ipfs) return fault(path, `${url} is a Kubo that the cluster uses: name another`)
    return ['fallback', `${url} answers`]
  } catch (error) {
    return fault(path, whyNot(url, error))
  }
}

/** Only reads: a check claims no namespace. */
async function storeAnswer(snapshot: Snapshot): Promise<Answer | undefined> {
  const { redis } = snapshot.config.store
  if (redis === undefined) return undefined
  const store = await Store.open({
    settings: { ...snapshot.config.store, redis },
    secrets: snapshot.storeSecrets,
    log: () => undefined,
  })
  try {
    const owner = await store.owner()
    if (owner === undefined) return fault('store.redis', noStore)
    // That the cluster does not answer is another fault.
    const { json } = await askEndpoint(snapshot, 0, '/id').catch(() => ({ json: undefined }))
    const { id, cluster_peers: others = [] } = (isObject(json) ? json : {}) as ClusterId
    const isOwn = owner.length === 0 || [id, ...others].some((peer) => owner.includes(String(peer)))
    if (id === undefined || isOwn) return ['store', 'answers']
    return fault('store.namespace', anothersNamespace)
  } finally {
    store.close()
  }
}

interface ClusterId {
  readonly id?: unknown
  readonly cluster_peers?: readonly unknown[]
}

const noStore = 'the store does not answer, or is not a Redis: check URL, user and password'
const anothersNamespace =
  'the namespace belongs to another cluster: name a separate one for each cluster'

const fault = (path: string, says: string): Problem => ({
  ...{ path, says, found: says, expected: 'an answer' },
})

function endpointAt({ config }: Snapshot, index: number) {
  const endpoint = config.cluster.endpoints[index]
  if (endpoint === undefined) throw new RangeError('no such endpoint')
  return endpoint
}

async function askEndpoint(snapshot: Snapshot, index: number, path: string) {
  const { url, socket, username } = endpointAt(snapshot, index)
  const { password = '', ca } = snapshot.endpointSecrets[index] ?? {}
  const authorization = `Basic ${Buffer.from(`${username ?? ''}:${password}`).toString('base64')}`
  const client = new Client(new URL(url).origin, {
    connect: {
      ...(ca !== undefined && { ca }),
      ...(socket !== undefined && { socketPath: socket }),
    },
  })
  try {
    const { statusCode, headers, body } = await client.request({
      ...{ method: 'GET', path, signal: AbortSignal.timeout(waitMs) },
      headers: { accept: 'application/json', ...(username !== undefined && { authorization }) },
    })
    const json: unknown = JSON.parse((await boundedText(body, bytesMax)) || 'null')
    const date = Date.parse(String(headers.date)) || Date.now()
    return { status: statusCode, date, json, challenge: String(headers['www-authenticate'] ?? '') }
  } finally {
    await client.destroy()
  }
}

const whyNot = (url: string, error: unknown, socket?: string): string =>
  connectFault(socket ?? new URL(url).host, error, waitMs)
