/** The configuration file: one schema gives its type, validation, defaults and documentation. */
import Type, { type Static } from 'typebox'
import {
  baseUrl,
  count,
  host,
  network,
  optionalSection,
  path,
  section,
  timeMs,
  watchedFile,
} from './fields.js'
import { enforcements } from '../values/permissions.js'
import { cluster } from './schema-cluster.js'
import { encoders, retentionDays, roles } from './schema-encoders.js'
import { fallback, journal, ledger, lookBack, onOutage } from './schema-outage.js'
import { store } from './schema-store.js'

const quota = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000_000, description }))

const budget = (max: number, description: string) =>
  optionalSection(
    {
      max: count(max, 0, 1_000_000, 'Requests in one window.'),
      windowSeconds: count(60, 1, 3600, 'Length of the window, in seconds.'),
    },
    description,
  )

const listen = optionalSection(
  {
    host: host({
      default: '127.0.0.1',
      description: 'Address to listen on; a supernode sets its public one.',
    }),
    port: count(9098, 0, 65_535, "Port to listen on. 9094 to 9097 are the cluster's on 127.0.0.1."),
    publicUrl: Type.Optional({
      ...baseUrl('Base URL at which encoders reach the gate; commands print it.'),
      restart: false,
    }),
    tls: Type.Optional(
      section(
        {
          certFile: watchedFile('PEM file with the certificate chain.', { restart: false }),
          keyFile: watchedFile('PEM file with the private key.', { restart: false }),
          minVersion: Type.Enum(['TLSv1.2', 'TLSv1.3'], {
            default: 'TLSv1.2',
            restart: false,
            description: 'Oldest TLS version accepted.',
          }),
        },
        'TLS for the public port.',
      ),
    ),
    allowPlainHttp: Type.Boolean({
      default: false,
      description:
        'Allow plain HTTP on an address other than loopback: keys are then sent unencrypted.',
    }),
    trustProxy: Type.Array(network, {
      default: [],
      maxItems: 64,
      description: 'Addresses or CIDRs of reverse proxies whose X-Forwarded-For the gate trusts.',
    }),
    connectionsMax: count(
      2048,
      1,
      100_000,
      'Open connections in total; unauthenticated ones make room for others.',
    ),
    connectionsPerAddressMax: count(
      128,
      1,
      100_000,
      'Open connections of one address (IPv6: one /64). Trusted proxies are exempt.',
    ),
    headerBytesMax: count(24_576, 1024, 65_536, 'Request line and headers together, in bytes.'),
    headersMax: count(64, 8, 1000, 'Header lines in one request.'),
    urlBytesMax: count(
      20_480,
      256,
      32_768,
      'Request target, in bytes; the default fits 100 CIDs in any spelling.',
    ),
    bodyBytesMax: count(
      1024,
      4,
      1_048_576,
      'Request body, in bytes; the gate reads and discards it.',
    ),
    headersTimeoutMs: timeMs(10_000, 'Longest wait for the complete headers of a request.'),
    requestTimeoutMs: timeMs(20_000, 'Longest wait for a complete request, body included.'),
    keepAliveTimeoutMs: timeMs(
      65_000,
      'How long an idle connection stays open for the next request.',
    ),
    healthPath: Type.Optional(
      Type.String({
        pattern: '^/[A-Za-z0-9._-]{1,64}$',
        description:
          'Path of a health check for load balancers, without a credential. Absent: none.',
      }),
    ),
    stallMs: timeMs(
      30_000,
      'The gate cuts off a client that reads nothing of its answer for this long.',
    ),
    lingerMs: timeMs(1000, 'How long the gate keeps reading idle connections at shutdown.', 0),
    shutdownMs: timeMs(30_000, 'Longest wait at shutdown for requests in flight.'),
  },
  'The public port to which encoders connect, and its limits.',
  { restart: true },
)

const admin = Type.Optional(
  section(
    {
      host: host({ default: '127.0.0.1', description: 'Address to listen on.' }),
      port: count(9099, 0, 65_535, 'Port to listen on.'),
      socket: Type.Optional(
        path('socket', 'Unix socket to listen on instead of host and port; mode 0600.'),
      ),
      hostNames: Type.Array(
        host({ default: '', description: 'Such as gate, in a container network.' }),
        {
          default: [],
          maxItems: 64,
          description: "Host names that callers may use, besides loopback's and host.",
        },
      ),
      allowRemote: Type.Boolean({
        default: false,
        description:
          'Allow an address other than loopback: then every client that reaches it can read ' +
          'everything.',
      }),
    },
    'The admin listener: health, metrics, status. Absent: no such listener.',
    { restart: true },
  ),
)

const control = Type.Optional(
  section(
    { socket: path('socket', 'Unix socket; mode 0600.') },
    "For commands that change pins. Absent: control.sock in systemd's RuntimeDirectory.",
    { restart: true },
  ),
)

const listing = optionalSection(
  {
    maxAgeMs: timeMs(60_000, 'How long the gate serves a complete listing again; 0: never.', 0),
    local: Type.Enum(['auto', 'never'], {
      default: 'auto',
      description:
        'auto: use local=true for a cluster of one peer, which lists the same at far less cost.',
    }),
    compress: Type.Boolean({ default: true, description: 'Offer listings compressed with gzip.' }),
    directory: Type.Optional(
      path('directory', 'Directory for large listings, in unnamed files. Absent: /var/tmp.', {
        restart: true,
      }),
    ),
    spoolBytesMax: count(
      4_294_967_296,
      0,
      Number.MAX_SAFE_INTEGER,
      'Bytes of all listings on the disk; beyond it listings pass through, for one client ' +
        'at a time.',
      { restart: true },
    ),
    runMs: timeMs(900_000, 'Longest time that the cluster may take for one listing.'),
    stallMs: timeMs(
      30_000,
      'The gate cuts off a client that reads nothing of its listing for this long.',
    ),
    perEncoderMax: count(4, 1, 1000, 'Listings that one encoder may read at once.'),
    readersMax: count(64, 1, 10_000, 'Listings that may be read at once, in total.'),
  },
  'Listings: the gate reads each once from the cluster, for all clients.',
  { restart: false },
)

const log = optionalSection(
  {
    level: Type.Enum(['debug', 'info', 'warn', 'error'], {
      default: 'info',
      description: 'Lowest severity that is logged. Requests are logged at info or above.',
    }),
    file: Type.Optional(
      path('file', 'File to append to. Absent: standard output.', { restart: true }),
    ),
    format: Type.Enum(['json', 'pretty'], {
      default: 'json',
      restart: true,
      description: 'JSON lines, or lines for people, which no command can read.',
    }),
    bufferBytesMax: count(
      4_194_304,
      65_536,
      268_435_456,
      'Log lines held in memory while the sink stalls; beyond it the gate drops and counts lines.',
      { restart: true },
    ),
  },
  'The log: one JSON object per line.',
  { restart: false },
)

const limits = optionalSection(
  {
    reads: budget(600, 'GET /id and the status of pins.'),
    listings: budget(6, 'Whole listings, and recovers of all pins.'),
    writes: budget(120, 'Pins, unpins, recovers.'),
    inFlight: count(32, 1, 10_000, 'Requests of one encoder in flight.'),
    leases: quota('Pins that one encoder may hold; any more get 403.'),
    unfinished: quota('Pins of one encoder that the cluster has yet to finish; any more get 429.'),
    failures: optionalSection(
      {
        max: count(20, 1, 1_000_000, 'Refused credentials of one address in one window.'),
        windowSeconds: count(60, 1, 3600, 'Length of the window, in seconds.'),
        addressesMax: count(
          16_384,
          1024,
          1_048_576,
          'Number of counters; a secret hash spreads addresses over them, so that no client ' +
            'can evict one.',
          { restart: true },
        ),
      },
      'Failed authentication, counted per client address (IPv6: per /64).',
    ),
  },
  "Each encoder's budgets; an encoder may override them.",
  { restart: false },
)

const unpin = optionalSection(
  {
    graceSeconds: count(
      0,
      0,
      31_536_000,
      'How long the gate keeps a finished pin without a holder, so that it can be restored; 0: ' +
        'not at all.',
    ),
  },
  'What happens to a pin when its last lease ends.',
  { restart: false },
)

export const configSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String({ restart: false, description: 'For editors; ignored.' })),
    listen,
    admin,
    control,
    cluster,
    listing,
    log,
    limits,
    enforcement: Type.Enum([...enforcements], {
      default: 'enforce',
      restart: false,
      description:
        'What to do with a request that violates ownership, quotas or options: refuse it ' +
        '(enforce), let it pass and log it (observe), or let it pass (off). No mode harms a lease.',
    }),
    unpin,
    onOutage,
    ledger,
    lookBack,
    journal,
    fallback,
    store,
    retentionDays,
    roles,
    encoders,
  },
  { additionalProperties: false, title: 'pinwarden configuration' },
)

/** The validated configuration, with its defaults. */
export type Config = Static<typeof configSchema>
export type ListenConfig = Config['listen']
export type ClusterConfig = Config['cluster']
export type LogConfig = Config['log']
export type LimitsConfig = Config['limits']
export type EncoderConfig = Config['encoders'][string]
export type KeyConfig = EncoderConfig['keys'][number]
