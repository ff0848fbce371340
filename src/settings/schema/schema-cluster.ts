/** The part of the configuration's schema for the cluster and its endpoints. */
import Type from 'typebox'
import { baseUrl, count, optionalSection, path, section, timeMs, watchedFile } from './fields.js'

const endpoint = section(
  {
    url: baseUrl("Base URL of the cluster's REST API, without path or credentials."),
    username: Type.Optional(
      Type.String({
        pattern: '^[^:\\u0000-\\u001f]{1,255}$',
        expects: 'a user name without ":"',
        secret: true,
        description: "User of the cluster's own basic auth.",
      }),
    ),
    passwordFile: Type.Optional(watchedFile('File that holds the password of that user.')),
    socket: Type.Optional(
      path('socket', 'Unix socket to connect to instead; the URL then only names the host.'),
    ),
    caFile: Type.Optional(
      watchedFile(
        'PEM file with the CA certificates to trust for it, in place of those that Node trusts.',
      ),
    ),
  },
  'One REST API of the cluster.',
)

export const cluster = optionalSection(
  {
    endpoints: Type.Array(endpoint, {
      default: [{ url: 'http://127.0.0.1:9094' }],
      minItems: 1,
      maxItems: 16,
      description: 'Where peers of one cluster listen; the first available one takes all writes.',
    }),
    health: optionalSection(
      {
        intervalMs: timeMs(5000, 'How often the gate checks an endpoint that answers no requests.'),
        timeoutMs: timeMs(1500, 'Longest wait for the answer to a check.', 100),
        failuresMax: count(5, 1, 1000, 'Faults in a row after which an endpoint is down.'),
        slowStartMs: timeMs(
          10_000,
          'How long an endpoint that is back gets less than its share of requests.',
          0,
        ),
      },
      'When an endpoint counts as up or down.',
    ),
    connections: count(
      64,
      1,
      1024,
      'Connections for pins and unpins, and as many for statuses and /id, which wait for Kubo.',
    ),
    listingConnections: count(
      4,
      1,
      64,
      'Connections for listings, and as many for filters on operation states.',
    ),
    queueMax: count(
      256,
      0,
      100_000,
      'Requests that may wait for connections of one kind; any more get 503.',
    ),
    connectTimeoutMs: timeMs(5000, 'Longest wait for a connection to the cluster.'),
    idTimeoutMs: timeMs(8000, 'Longest wait for the first byte of an answer to GET /id.'),
    statusTimeoutMs: timeMs(
      20_000,
      'The same for statuses; those of ?cids= may take as long again.',
    ),
    writeTimeoutMs: timeMs(25_000, 'The same for pins, unpins and recovers.'),
    listTimeoutMs: timeMs(310_000, 'The same for listings (the cluster gives Kubo 5 minutes).'),
    idleTimeoutMs: timeMs(60_000, 'Longest pause of the cluster in the middle of an answer.'),
  },
  'The IPFS Cluster behind the gate.',
  { restart: false },
)
