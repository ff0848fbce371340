/** The part of the schema for outages of the cluster. */
import Type from 'typebox'
import { baseUrl, count, optionalSection, path, section, timeMs } from './fields.js'

export const onOutage = Type.Enum(['refuse', 'journal'], {
  default: 'refuse',
  restart: true,
  description:
    'For a pin while the cluster is down: refuse it (502 to 504), or write it to the disk, ' +
    'answer 202, and replay it when the cluster is back (journal).',
})

export const journal = optionalSection(
  {
    directory: path('directory', 'Directory of the queue, unless `ledger.directory` is set.', {
      default: '/var/lib/pinwarden',
      restart: true,
    }),
    entriesMax: count(100_000, 1, 1_000_000, 'Pins that may wait; the gate refuses more.', {
      restart: true,
    }),
    perSecondMax: count(100, 1, 10_000, 'Most pins that the gate replays in a second.'),
  },
  'Pins that were accepted while the cluster was down.',
  { restart: false },
)

export const ledger = Type.Optional(
  section(
    { directory: path('directory', 'Directory of the ledger, for this daemon alone.') },
    'What the gate owes: leases, queued pins, and pins in doubt. Absent: kept in ' +
      '`journal.directory` where `onOutage` is `journal`, else in the StateDirectory of systemd; ' +
      'without one it ends with the process.',
    { restart: true },
  ),
)

export const lookBack = Type.Optional(
  section(
    { directory: path('directory', 'The same as `ledger.directory`, which replaces it.') },
    'The older name of `ledger`; works in this release.',
    { restart: true, deprecated: true },
  ),
)

const kubo = section(
  {
    url: baseUrl('Base URL of its RPC, such as http://127.0.0.1:5002; without path.'),
    atOnceMax: count(4, 1, 64, 'Most pins that this Kubo fetches at once.'),
    stallMs: timeMs(120_000, 'Longest wait for progress of a pin.'),
    release: Type.Boolean({
      default: false,
      description: 'Whether the gate unpins them there once the cluster has them.',
    }),
  },
  'Another Kubo than those of the cluster.',
)

export const fallback = Type.Optional(
  section(
    { kubo },
    'A second Kubo for pins of the journal while the cluster is down; absent: none.',
    { restart: true },
  ),
)
