/** Mutations of what the ledger is given: its storage, its cluster, its clocks. */
import type { LedgerStorage, LedgerOperation } from '../../src/ledger/storage/ledger-storage.js'
import type { GateParts } from './gate-port.js'
import type { Mutation } from './mutations.js'

export const portMutations: readonly Mutation[] = [
  {
    row: 'L7',
    name: 'the walk goes by the wall clock',
    faults: ['cluster-kill', 'clock'],
    seed: 23,
    breakParts: withStorage((storage) => ({
      // Whatever was written more than a minute before the last write is taken for safe.
      newest: async (before, count) => {
        const rows = await storage.newest(before, count)
        const lastMs = Math.max(...rows.map(({ atMs }) => atMs))
        return rows.filter(({ atMs }) => atMs > lastMs - 60_000)
      },
    })),
  },
  {
    row: 'L8',
    name: 'a reload makes it deaf to the cluster',
    faults: ['cluster-kill', 'keys'],
    breakParts: (parts) => {
      const { encoders } = parts.settings
      const { cluster } = parts
      return {
        ...parts,
        cluster: {
          ...cluster,
          onDisconnect: (call) => {
            cluster.onDisconnect(() => {
              if (parts.settings.encoders === encoders) call()
            })
          },
        },
      }
    },
  },
  {
    row: 'L11',
    name: 'doubts are only in memory',
    faults: ['late-write', 'gate-stop'],
    seed: 2,
    breakParts: withStorage((storage) => dropping(storage, ({ kind }) => kind === 'doubt')),
  },
  {
    row: 'L17',
    name: "the cluster's clock is no witness",
    faults: ['clock'],
    seed: 4,
    breakParts: (parts) => ({
      ...parts,
      cluster: {
        ...parts.cluster,
        read: async (...asked) => ({ ...(await parts.cluster.read(...asked)), dateMs: undefined }),
      },
    }),
  },
  {
    row: 'L22',
    name: 'unknown is taken for unfinished',
    faults: ['grace', 'kubo'],
    seed: 4,
    breakParts: (parts) => ({
      ...parts,
      cluster: {
        ...parts.cluster,
        isFinished: async (...asked) => {
          const finished = await parts.cluster.isFinished(...asked)
          return finished === 'finished' ? finished : 'unfinished'
        },
      },
    }),
  },
  {
    row: 'L26',
    name: 'an unpin that is in flight when the gate is killed is in no doubt',
    faults: ['gate-kill', 'freeze'],
    seed: 10,
    breakParts: withStorage((storage) =>
      dropping(storage, (each) => each.kind === 'doubt' && each.doubt.reason === 'in-flight'),
    ),
  },
  {
    row: 'L26',
    name: 'counts are those of the start',
    faults: ['gate-stop'],
    seed: 1,
    breakParts: withStorage((storage) => ({
      count: (holder) => storage.contents.counts.get(holder) ?? 0,
    })),
  },
  {
    row: 'L27',
    name: 'spans are taken by the wall clock',
    faults: ['clock', 'freeze', 'read-fault'],
    seed: 1,
    breakParts: (parts) => ({ ...parts, monotonic: parts.now }),
  },
  {
    row: 'L32',
    name: 'the row comes long after the write',
    faults: ['power-cut', 'cluster-kill', 'gate-kill'],
    seed: 1,
    breakParts: (parts) => {
      const { storage, setTimer } = parts
      const note: LedgerStorage['note'] = (operations) =>
        new Promise((resolve) => {
          const isRow = operations.some(({ kind }) => kind === 'row')
          setTimer(isRow ? 5000 : 0, () => {
            void storage.note(operations).then(resolve)
          })
        })
      return { ...parts, storage: withMethods(storage, { note }) }
    },
  },
]

type Methods = Partial<LedgerStorage>

function withStorage(make: (storage: LedgerStorage) => Methods) {
  return (parts: GateParts): GateParts => {
    const { storage } = parts
    const bound = withMethods(storage, {})
    return { ...parts, storage: withMethods(storage, make(bound)) }
  }
}

/** The methods of a class stay those of their object. */
function withMethods(storage: LedgerStorage, methods: Methods): LedgerStorage {
  return new Proxy(storage, {
    get(target, name) {
      if (Object.hasOwn(methods, name)) return methods[name as keyof Methods]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

const dropping = (
  storage: LedgerStorage,
  isDropped: (operation: LedgerOperation) => boolean,
): Methods => {
  const kept = (operations: readonly LedgerOperation[]) =>
    operations.filter((operation) => !isDropped(operation))
  return {
    note: (operations) => storage.note(kept(operations)),
    commit: (operations) => storage.commit(kept(operations)),
  }
}
