/** The part of the schema for outages of the cluster. */
import Type from 'typebox'
import { baseUrl, count, optionalSection, path, section, timeMs } from './fields.js'

export const onOutage = Type.Enum(['refuse', 'journal'], {
  default: 'refuse',
  restart: true,
  description:
    'What to do with a pin while the cluster is down, or a change of the pin hangs: refuse it ' +
    '(502 to 504), or write it to disk, answer 202, and replay it later (journal).',
})

export const journal = optionalSection(
  {
    directory: path('directory', 'Directory of the queue, unless `ledger.directory` is set.', {
      default: '/var/lib/pinwarden',
      restart: true,
    }),
    entriesMax: count(100_000, 1, 1_000_000, 'Pins that may wait; the gate refuses any more.', {
      restart: true,
    }),
    perSecondMax: count(100, 1, 10_000, 'Most pins that the gate replays in a second.'),
  },
  'Pins that were accepted while the cluster was down.',
  { restart: false },
)

export const ledger = Type.Optional(
  section(
    { directory: path('directory', 'Directory of the ledger, only for this daemon.') },
    'What the gate owes: leases, queued pins, and pins in doubt. Absent: kept in ' +
      '`journal.directory` where `onOutage` is `journal`, else in the StateDirectory of systemd; ' +
      'without one it ends with the process.',
    { restart: true },
  ),
)

export const lookBack = Type.Optional(
  section(
    { directory: path('directory', 'Deprecated: use `ledger.directory`.') },
    'Deprecated name of `ledger`; still works in this release.',
    { restart: true, deprecated: true },
  ),
)

const kubo = section(
  {
    url: baseUrl('Base URL of its RPC, such as http://127.0.0.1:5002; without path.'),
    atOnceMax: count(4, 1, 64, 'Most pins that this Kubo fetches at once.'),
    stallMs: timeMs(120_000, 'Longest time that a pin may make no progress.'),
    release: Type.Boolean({
      default: false,
      description: 'Whether the gate unpins the pins there once the cluster has them.',
    }),
  },
  'A Kubo that the cluster does not use.',
)

export const fallback = Type.Optional(
  section(
    { kubo },
    'A second Kubo for pins of the journal while the cluster is down. Absent: no fallback.',
    { restart: true },
  ),
)
