/** The part of the configuration's schema that says what is done while the cluster is away. */
import Type from 'typebox'
import { baseUrl, count, optionalSection, path, section, timeMs } from './fields.js'

export const onOutage = Type.Enum(['refuse', 'journal'], {
  default: 'refuse',
  restart: true,
  description:
    'A pin while the cluster is away: refuse it (502 to 504), or note it on the disk, answer ' +
    '202, and make it when the cluster is back (journal).',
})

export const journal = optionalSection(
  {
    directory: path('directory', 'Where pins wait, unless `ledger.directory` is set.', {
      default: '/var/lib/pinwarden',
      restart: true,
    }),
    entriesMax: count(100_000, 1, 1_000_000, 'Pins that may wait in it; more is refused.', {
      restart: true,
    }),
    perSecondMax: count(100, 1, 10_000, 'Pins of it that are made in a second, at most.'),
  },
  'Pins that were accepted while the cluster was away.',
  { restart: false },
)

export const ledger = Type.Optional(
  section(
    { directory: path('directory', 'Where it is kept; of this daemon alone.') },
    'What the gate owes: leases, pins that wait, and what is in doubt. Absent: kept in ' +
      '`journal.directory` where `onOutage` is `journal`, else in the StateDirectory of systemd; ' +
      'without one it ends with the process.',
    { restart: true },
  ),
)

export const lookBack = Type.Optional(
  section(
    { directory: path('directory', 'As `ledger.directory`, which takes its place.') },
    'The older name of `ledger`, for this release.',
    { restart: true, deprecated: true },
  ),
)

const kubo = section(
  {
    url: baseUrl('Base URL of its RPC, such as http://127.0.0.1:5002; without path.'),
    atOnceMax: count(4, 1, 64, 'Pins that it works on at once.'),
    stallMs: timeMs(120_000, 'Longest wait of a pin there for progress.'),
    release: Type.Boolean({
      default: false,
      description: 'Whether pins that were made there are unpinned once the cluster has them.',
    }),
  },
  'Another Kubo than those of the cluster.',
)

export const fallback = Type.Optional(
  section(
    { kubo },
    'Where pins of the journal are also made while the cluster is away; nowhere when absent.',
    { restart: true },
  ),
)
