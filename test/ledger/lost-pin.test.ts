/** What a change starts from, where the cluster does not have what the ledger owes. */
import t from 'tap'
import { Ledger, type LedgerParts } from '../../src/ledger/ledger.js'
import { RecentRows } from '../../src/ledger/recent-rows.js'
import type { LedgerRow } from '../../src/ledger/row.js'
import { Deadline } from '../../src/time/deadline.js'

const cid = 'bafkqaaa'
const lease = { holder: 'a', sinceMs: 0, untilMs: Infinity, token: 'gate1234.1' }
const row: LedgerRow = {
  ...{ cid, seq: 2, atMs: 0, isDirect: false, options: [], leases: [lease], former: [] },
  ...{ expiresMs: Infinity, released: [] },
}

function ledgerOf(rows: readonly LedgerRow[]) {
  const asked: string[] = []
  const now = { read: undefined, nowMs: 1000, clusterMs: 1000, laterMs: 1000 }
  const parts = {
    storage: {
      gateId: 'gate1234',
      mayHaveRow: (of: string) => rows.some((each) => each.cid === of),
      row: (of: string) => {
        asked.push(of)
        return Promise.resolve(rows.find((each) => each.cid === of))
      },
    },
    records: { read: () => Promise.resolve(now) },
    recent: new RecentRows(() => 0),
    owes: 'all',
    isDoubted: () => false,
    onDoubt: () => undefined,
  } as unknown as LedgerParts
  const look = () => new Ledger(parts).look(cid, new Deadline(1000, () => 0))
  return { look, asked }
}

t.test(
  'of a pin that the cluster lost a change leaves the other holders their leases',
  async (t) => {
    const { look } = ledgerOf([row])
    t.match((await look()).record, { leases: [lease] })
  },
)

t.test('of a pin that is new nothing is read from the disk', async (t) => {
  const { look, asked } = ledgerOf([])
  t.equal((await look()).record, undefined)
  t.same(asked, [])
})
