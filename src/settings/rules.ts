/** Rules between fields of a configuration, which the schema cannot express. */
import { inSlices, type SlicedWork } from '../time/slices.js'
import { leaseIdOf } from './values/lease-id.js'
import { isLoopback } from './values/network.js'
import { builtInRoles } from './values/permissions.js'
import { pathText, foundText, type Problem } from './problems.js'
import { rolesOf } from './keyring/resolve.js'
import type { ClusterConfig, Config, EncoderConfig, ListenConfig } from './schema/schema.js'

export function* rulesBroken(config: Config): SlicedWork<readonly Problem[]> {
  return [
    ...listenProblems(config.listen),
    ...adminProblems(config.admin),
    ...sharedPortProblems(config),
    ...trustProblems(config.listen),
    ...config.cluster.endpoints.flatMap(endpointProblems),
    ...fallbackProblems(config),
    ...storeProblems(config.store),
    ...Object.keys(builtInRoles)
      .filter((role) => Object.hasOwn(config.roles, role))
      .map((role) => problem(['roles', role], 'a built-in role', 'another name for it')),
    ...Object.keys(config.retentionDays)
      .filter((role) => !rolesOf(config).has(role))
      .map((role) => problem(['retentionDays', role], 'no such role', 'the name of one')),
    ...(yield* encoderProblems(config)),
  ]
}

function adminProblems(admin: Config['admin']): Problem[] {
  if (admin === undefined) return []
  const { host, socket, allowRemote } = admin
  if (socket !== undefined || allowRemote || isLoopback(host)) return []
  const expected = 'a loopback address or a socket, or "allowRemote": true'
  return [problem(['admin', 'host'], `${foundText(host)}, which is not loopback`, expected)]
}

/** No two listeners share a port, and the gate is not its own cluster. */
function sharedPortProblems({ listen, admin, cluster, fallback }: Config): Problem[] {
  const problems: Problem[] = []
  if (admin !== undefined && admin.socket === undefined && meet(listen, admin))
    problems.push(problem(['admin', 'port'], 'also listen.port', 'another port'))
  const isGate = (text: string): boolean => {
    if (!URL.canParse(text)) return false
    const { hostname, port, protocol } = new URL(text)
    const number = Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port)
    const host = hostname.replace(/^\[|\]$/g, '')
    // Any other name may belong to another machine.
    const isHere = host === listen.host || isLoopback(host)
    return isHere && meet(listen, { host, port: number })
  }
  const itself = 'the port that the gate itself listens on'
  cluster.endpoints.forEach(({ url, socket }, index) => {
    if (socket === undefined && isGate(url))
      problems.push(problem(['cluster', 'endpoints', index, 'url'], itself, "the cluster's"))
  })
  if (fallback !== undefined && isGate(fallback.kubo.url))
    problems.push(problem(['fallback', 'kubo', 'url'], itself, "the Kubo's"))
  return problems
}

interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** Whether an address reaches both. */
const meet = (one: HostAndPort, other: HostAndPort): boolean =>
  one.port === other.port &&
  one.port !== 0 &&
  (one.host === other.host ||
    isEverywhere(one.host) ||
    isEverywhere(other.host) ||
    ([one.host, other.host].includes('localhost') &&
      isLoopback(one.host) &&
      isLoopback(other.host)))

const isEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** If the gate trusts all addresses, clients choose theirs: `from` and limits mean nothing. */
function trustProblems({ trustProxy }: ListenConfig): Problem[] {
  return trustProxy.flatMap((network, index) =>
    network.endsWith('/0')
      ? [
          problem(
            ['listen', 'trustProxy', index],
            `${foundText(network)}, which is everybody`,
            'the addresses of the proxies',
          ),
        ]
      : [],
  )
}

function listenProblems(listen: ListenConfig): Problem[] {
  const problems: Problem[] = []
  if (listen.tls === undefined && !listen.allowPlainHttp && !isLoopback(listen.host))
    problems.push(
      problem(
        ['listen', 'host'],
        `${foundText(listen.host)} without TLS`,
        'listen.tls, a loopback address, or "allowPlainHttp": true if something else encrypts',
      ),
    )
  if (listen.headersTimeoutMs > listen.requestTimeoutMs)
    problems.push(atMost(listen, 'headersTimeoutMs', 'requestTimeoutMs'))
  if (listen.healthPath === '/id' || listen.healthPath === '/pins')
    problems.push(
      problem(
        ['listen', 'healthPath'],
        `${foundText(listen.healthPath)}, which is a path of the cluster`,
        'another path',
      ),
    )
  if (listen.urlBytesMax > listen.headerBytesMax)
    problems.push(atMost(listen, 'urlBytesMax', 'headerBytesMax'))
  return problems
}

type Bound = 'headersTimeoutMs' | 'requestTimeoutMs' | 'urlBytesMax' | 'headerBytesMax'

function atMost(listen: ListenConfig, field: Bound, bound: Bound): Problem {
  return problem(
    ['listen', field],
    String(listen[field]),
    `at most listen.${bound}, ${listen[bound]}`,
  )
}

/** Settings of a store that is not configured, or that cannot take effect. */
function storeProblems({ redis, username, passwordFile, caFile }: Config['store']): Problem[] {
  const named = Object.entries({ username, passwordFile, caFile })
  if (redis === undefined)
    return named
      .filter(([, value]) => value !== undefined)
      .map(([field]) => problem(['store', field], 'no store.redis', 'store.redis with it'))
  if (username !== undefined && passwordFile === undefined)
    return [problem(['store', 'passwordFile'], 'nothing', 'a file, with username')]
  if (caFile !== undefined && redis.startsWith('redis:'))
    return [problem(['store', 'caFile'], 'a file, and a URL of redis', 'a URL of rediss')]
  return []
}

/** The fallback gets only pins of the journal. */
function fallbackProblems({ fallback, onOutage }: Config): Problem[] {
  if (fallback === undefined || onOutage === 'journal') return []
  return [problem(['fallback'], `"onOutage": "${onOutage}"`, '"onOutage": "journal" with it')]
}

type Endpoint = ClusterConfig['endpoints'][number]

function endpointProblems(endpoint: Endpoint, index: number, all: readonly Endpoint[]): Problem[] {
  const { url, socket, username, passwordFile, caFile } = endpoint
  const path = ['cluster', 'endpoints', index]
  const problems: Problem[] = []
  if ((username === undefined) !== (passwordFile === undefined)) {
    const absent = username === undefined ? 'username' : 'passwordFile'
    const expected = 'username and passwordFile, or neither'
    problems.push(problem([...path, absent], 'nothing', expected))
  }
  if (caFile !== undefined && url.startsWith('http:'))
    problems.push(problem([...path, 'caFile'], 'a file, and a URL of http', 'a URL of https'))
  const place = placeOf(endpoint)
  const first = all.findIndex((other) => placeOf(other) === place)
  if (first < index) {
    const found = `the same as cluster.endpoints[${first}]`
    problems.push(problem([...path, socket === undefined ? 'url' : 'socket'], found, 'another one'))
  }
  return problems
}

/** The URL in one spelling; another check reports a text that is not a URL. */
const placeOf = ({ url, socket }: Endpoint): string =>
  socket ?? (URL.canParse(url) ? new URL(url).origin : url)

function* encoderProblems(config: Config): SlicedWork<Problem[]> {
  const roles = rolesOf(config)
  const [places, holders] = [new Map<string, Place>(), new Map<string, string>()]
  const encoders = Object.entries(config.encoders)
  const ofKeys = yield* inSlices(encoders, ([name, encoder]) => [
    ...roleProblems(name, encoder, [...(roles.has(encoder.role) ? [] : roles.keys())]),
    ...keyProblems(name, encoder, places),
  ])
  const ofLeases = yield* inSlices(encoders, ([name, { leaseId }]) =>
    leaseIdProblems(name, leaseId, holders),
  )
  return [...ofKeys, ...ofLeases].flat()
}

type Place = readonly (string | number)[]

/** `known` lists the existing roles, if the encoder's role is not one of them. */
function roleProblems(name: string, encoder: EncoderConfig, known: readonly string[]): Problem[] {
  const { role, allow, deny } = encoder
  const unknown =
    known.length === 0
      ? []
      : [problem(['encoders', name, 'role'], foundText(role), `one of ${known.join(', ')}`)]
  const overlap = deny
    .filter((permission) => allow.includes(permission))
    .map((permission) =>
      problem(
        ['encoders', name, 'deny'],
        `${permission}, also in allow`,
        'a permission in one of them only',
      ),
    )
  return [...unknown, ...overlap]
}

/** `places` has the field of each digest's first occurrence. */
function keyProblems(name: string, { keys }: EncoderConfig, places: Map<string, Place>): Problem[] {
  const ids = new Set<string>()
  return keys.flatMap(({ id, sha256, created, expires }, index) => {
    const problems: Problem[] = []
    const path = ['encoders', name, 'keys', index]
    if (ids.has(id))
      problems.push(problem([...path, 'id'], `${foundText(id)} again`, 'an id of its own'))
    ids.add(id)
    const place = places.get(sha256)
    if (place !== undefined)
      problems.push(
        problem([...path, 'sha256'], `the same key as ${pathText(place)}`, 'a key of its own'),
      )
    else places.set(sha256, path)
    if (
      created !== undefined &&
      expires !== undefined &&
      !(Date.parse(expires) > Date.parse(created))
    )
      problems.push(problem([...path, 'expires'], expires, `a time after created, ${created}`))
    return problems
  })
}

/** Two encoders with one id would release each other's leases. */
function leaseIdProblems(
  name: string,
  leaseId = leaseIdOf(name),
  holders: Map<string, string>,
): Problem[] {
  const other = holders.get(leaseId)
  holders.set(leaseId, name)
  if (other === undefined) return []
  return [problem(['encoders', name, 'leaseId'], `that of ${other}`, 'an id of its own')]
}

function problem(segments: readonly (string | number)[], found: string, expected: string): Problem {
  return { path: pathText(segments), found, expected }
}
