/** docs/openapi.yaml: the gate's HTTP interface, from the route table and the refusals. */
import { stringify } from 'yaml'
import { faults, type Refusal, refusals } from '../../src/gate/refusals.js'
import { type Route, routes } from '../../src/gate/routes.js'
import { optionGrants } from '../../src/settings/values/permissions.js'

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required?: boolean
  readonly description: string
  readonly schema: object
  readonly example?: string
}

/** Reasons that no operation of the table meets: they are what other requests read. */
const elsewhere = new Set(['unknown-route', 'method-not-allowed', 'connect-refused'])

/** Reasons that only some permissions meet. */
const onlyOf: Readonly<Record<string, readonly string[]>> = {
  'too-many-holders': ['pin'],
  'not-a-plain-pin': ['pin', 'unpin'],
}

const reasonsByStatus = Object.groupBy(
  Object.entries<Refusal>({ ...refusals, ...faults }).filter(([reason]) => !elsewhere.has(reason)),
  ([, { status }]) => status,
)

export function openapiText(version: string): string {
  const head =
    '# The interface that encoders use: npm run docs makes it from src/gate/routes.ts and\n' +
    '# src/gate/refusals.ts, and test/gate/openapi.test.ts compares it with the gate.\n'
  return head + stringify(openapi(version), { lineWidth: 0, singleQuote: true })
}

export function openapi(version: string) {
  const urls = [...new Set(routes.map(({ url }) => url))]
  return {
    openapi: '3.1.0',
    info: {
      title: 'pinwarden',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'What encoders may use of the REST API of IPFS Cluster, with a key. Every answer ' +
        'has X-Request-Id, which is also in the log of the gate.',
    },
    servers: [{ url: 'https://pins.example.org:9098' }],
    security: [{ basic: [] }, { bearer: [] }],
    paths: Object.fromEntries(urls.map((url) => [pathOf(url), pathItem(url)])),
    components: { securitySchemes, schemas, responses: refusedResponses() },
  }
}

/** find-my-way's notation to OpenAPI's. */
export const pathOf = (url: string): string =>
  url.replace(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}')

const pathItem = (url: string) =>
  Object.fromEntries(
    routes
      .filter((route) => route.url === url)
      .map((route) => [route.method.toLowerCase(), operationOf(route)]),
  )

function operationOf(route: Route) {
  const { method, url } = route
  const permission = permissionOf(route)
  return {
    operationId: `${method.toLowerCase()}${pathOf(url)}`.replace(/\W+/g, '-').replace(/-$/, ''),
    summary: summaries[permission] ?? permission,
    description: `Needs the permission ${permissionText(permission)}.`,
    parameters: [...pathParameters(url), ...queryParameters(route)],
    responses: {
      ...successOf(route),
      ...Object.fromEntries(
        Object.entries(reasonsByStatus)
          .filter(([, reasons = []]) => reasons.some(([reason]) => meets(permission, reason)))
          .map(([status]) => [status, { $ref: `#/components/responses/Refused${status}` }]),
      ),
    },
  }
}

const permissionText = (permission: string): string =>
  permission === 'list'
    ? '`list`, or `status` with `cids`, `owner` or a filter of operation states'
    : `\`${permission}\``

const permissionOf = ({ permission }: Route): string =>
  typeof permission === 'string' ? permission : permission(new Map())

const meets = (permission: string, reason: string): boolean =>
  onlyOf[reason]?.includes(permission) ?? true

const summaries: Readonly<Record<string, string>> = {
  id: 'The identity of the peer that answers',
  list: 'Pins: all, some by CID or state, or one’s own',
  status: 'The state of a pin',
  pin: 'Pin, or change the options of a pin',
  unpin: 'Let go of a pin',
  recover: 'Have the cluster try a failed pin again',
  'recover-all': 'Have the cluster try all failed pins again',
  resolve: 'Pin or unpin what a path leads to',
}

const cidExample = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

function pathParameters(url: string): Parameter[] {
  const parameter = (name: string, description: string, example: string): Parameter => ({
    ...{ name, in: 'path', required: true, description, schema: { type: 'string' }, example },
  })
  return [
    ...(url.includes(':cid') ? [parameter('cid', 'A CID, of version 0 or 1.', cidExample)] : []),
    ...(url.endsWith('*')
      ? [
          parameter(
            'path',
            'The rest of the path, with its slashes.',
            url.includes('ipld') ? cidExample : 'a',
          ),
        ]
      : []),
  ]
}

const query = (
  name: string,
  description: string,
  example: string,
  schema: object = {},
): Parameter => ({
  ...{ name, in: 'query', description, schema: { type: 'string', ...schema }, example },
})

const local = query('local', 'true: only the state of the peer that the gate asks.', 'true', {
  enum: ['true', 'false'],
})
const granted = (name: string): string =>
  (optionGrants as readonly string[]).some((grant) => name.startsWith(grant))
    ? ' Only for encoders to which it is granted.'
    : ''
const option = (name: string, description: string, example: string, schema: object = {}) =>
  query(name, description + granted(name), example, schema)

const pinOptions = [
  option('name', 'A name, up to 512 bytes.', 'video-1', { maxLength: 512 }),
  option('mode', 'The only mode that the gate accepts.', 'recursive', { enum: ['recursive'] }),
  option('expire-in', 'Duration after which the pin ends, in Go syntax; at least 1s.', '720h'),
  option('expire-at', 'When the pin ends: RFC 3339.', '2099-01-01T00:00:00Z'),
  option('meta-KEY', 'Metadata: `meta-` and a key of your own, up to 32 of them.', 'x'),
  option('replication-min', 'Fewest peers.', '-1'),
  option('replication-max', 'Most peers.', '-1'),
  option(
    'user-allocations',
    'Peers to prefer, by their IDs.',
    '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X',
  ),
  option(
    'origins',
    'Addresses of peers that have it, up to 10.',
    '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X',
  ),
  option('pin-update', 'A pin that this one replaces.', cidExample),
]

/** By permission; the last are of `GET /pins`. */
function queryParameters(route: Route): readonly Parameter[] {
  const permission = permissionOf(route)
  if (permission === 'pin' || (permission === 'resolve' && route.method === 'POST'))
    return pinOptions
  if (permission === 'status')
    return [local, query('wait', 'Longest wait until the pin is pinned or has failed.', '25s')]
  if (permission.startsWith('recover')) return [local]
  if (permission !== 'list') return []
  return [
    local,
    query('cids', 'Only these CIDs, up to 100, separated by commas.', cidExample),
    query('filter', 'Only pins in these states, separated by commas.', 'queued'),
    query('owner', 'Only pins that the caller holds.', 'me', { enum: ['me'] }),
    query('limit', 'With `owner`: pins to a page, up to 100.', '10'),
    query('after', 'With `owner`: pins after this CID.', cidExample),
  ]
}

const json = (schema: string, description: string, isStream = false) => ({
  description,
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
  ...(isStream && { 'x-stream': 'One such document a line, as they come.' }),
})

function successOf(route: Route): Readonly<Record<string, object>> {
  const permission = permissionOf(route)
  const notPinned = json('Error', 'The cluster has no such pin.')
  if (permission === 'id') return { 200: json('Peer', 'The peer.') }
  if (permission === 'list' || permission === 'recover-all')
    return { 200: json('Status', 'Pins.', true), 204: { description: 'No pin.' } }
  if (permission === 'status') return { 200: json('Status', 'State of the pin at each peer.') }
  if (permission === 'recover')
    return { 200: json('Status', 'The state of the pin now.'), 404: notPinned }
  if (permission === 'pin')
    return {
      200: json('Pin', 'The cluster accepted the pin, which is not pinned yet.'),
      202: json('Pin', 'The cluster is down: the gate keeps the pin, and replays it later.'),
    }
  const ofPath = permission === 'resolve' && route.method === 'POST'
  return { 200: json('Pin', ofPath ? 'The new pin.' : 'The pin as it was.'), 404: notPinned }
}

const refusedResponses = () =>
  Object.fromEntries(
    Object.entries(reasonsByStatus).map(([status, reasons = []]) => [
      `Refused${status}`,
      {
        description: reasons.map(([reason, { message }]) => `${reason}: ${message}`).join('\n'),
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        'x-reasons': reasons.map(([reason]) => reason),
      },
    ]),
  )

const securitySchemes = {
  basic: { type: 'http', scheme: 'basic', description: 'The name of the encoder, and a key.' },
  bearer: { type: 'http', scheme: 'bearer', description: 'A key.' },
}

const string = { type: 'string' }
const schemas = {
  Error: {
    type: 'object',
    required: ['code', 'message'],
    properties: { code: { type: 'integer' }, message: string },
  },
  Peer: {
    type: 'object',
    required: ['id', 'peername', 'version'],
    properties: { id: string, peername: string, version: string },
  },
  Pin: {
    type: 'object',
    required: ['cid'],
    properties: { cid: string, name: string, allocations: { type: ['array', 'null'] } },
  },
  Status: {
    type: 'object',
    required: ['cid', 'peer_map'],
    properties: {
      cid: string,
      name: string,
      peer_map: {
        type: 'object',
        additionalProperties: {
          type: 'object',
          required: ['status'],
          properties: { status: string, error: string, attempt_count: { type: 'integer' } },
        },
      },
    },
  },
}
