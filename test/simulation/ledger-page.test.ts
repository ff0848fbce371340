/** The page about the ledger has the tables that the code and the simulation go by. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { doubtDelays } from '../../src/ledger/doubt.js'
import { crashCosts } from './crash-costs.js'

const page = readFileSync(new URL('../../../docs/ledger.md', import.meta.url), 'utf8')

/** Cells of each row of its tables. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) => line.split('|').map((cell) => cell.trim()))

t.test('it says what each crash can cost', async (t) => {
  for (const { event, loses, reportedIn } of Object.values(crashCosts))
    t.ok(
      rows.some((cells) => [event, loses, reportedIn].every((text) => cells.includes(text))),
      `| ${event} | ${loses} | ${reportedIn} |`,
    )
})

t.test('it has the delays of each kind of doubt', async (t) => {
  const span = (ms: number): string => (ms < 120_000 ? `${ms / 1000} s` : `${ms / 60_000} min`)
  for (const [reason, delays] of Object.entries(doubtDelays)) {
    const text = delays.map(span).join(', ')
    t.ok(
      rows.some((cells) => cells.includes(`\`${reason}\``) && cells.includes(text)),
      `${reason}: ${text}`,
    )
  }
})
