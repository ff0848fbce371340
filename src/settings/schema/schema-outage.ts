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
    directory: path('directory', 'Where the journal lies; of this daemon alone.', {
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

export const lookBack = Type.Optional(
  section(
    {
      directory: path(
        'directory',
        'Where they are kept, of this daemon alone; no request waits for it.',
      ),
    },
    'The last writes, for a cluster that is killed and forgets them. Absent: kept in the ' +
      'StateDirectory of systemd; without one they end with the process.',
    { restart: true },
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
