/** What the dates of releases say of the one that is installed. */
import t from 'tap'
import { judge, type Release } from '../../deploy/release/release-dates.js'

const releases = (dates: Readonly<Record<string, string>>): Release[] =>
  Object.entries(dates).map(([version, date]) => ({ version, date: new Date(date) }))

const lines = releases({
  '22.23.5': '2026-11-12T00:37:45Z',
  '24.9.0': '2026-09-01',
  '24.22.1': '2026-10-22',
  '24.22.3': '2026-11-12T00:41:21Z',
  '26.12.1': '2026-10-22',
})

t.test('the newest of its line is current when all lines came out together', async (t) => {
  t.same(judge('24.22.3', lines), { verdict: 'current' })
  t.equal(judge('22.23.5', lines).verdict, 'current')
})

t.test('it is behind what its own line has, compared by number', async (t) => {
  t.match(judge('24.22.1', lines), { verdict: 'behind', because: { version: '24.22.3' } })
  t.match(judge('24.9.0', lines), { verdict: 'behind', because: { version: '24.22.3' } })
})

t.test('a fix is missing where an older line was released later', async (t) => {
  t.match(judge('26.12.1', lines), { verdict: 'missing', because: { version: '24.22.3' } })
})

t.test('a newer line with a later release is distinguished from that', async (t) => {
  const two = releases({ '7.30.2': '2026-08-01', '8.13.1': '2026-11-01' })
  t.match(judge('7.30.2', two), { verdict: 'newer line', because: { version: '8.13.1' } })
  t.equal(judge('8.13.1', two).verdict, 'current')
})

t.test('an old release that was published late says nothing', async (t) => {
  const late = releases({ '1.0.0': '2026-09-01', '1.2.0': '2024-01-01', '2.0.0': '2024-02-01' })
  t.equal(judge('2.0.0', late).verdict, 'current')
})

t.test('of 0.x each minor version is a line', async (t) => {
  const early = releases({ '0.15.4': '2026-09-01', '0.16.1': '2026-08-01', '0.17.0': '2026-07-01' })
  t.equal(judge('0.16.1', early).verdict, 'missing')
  t.equal(judge('0.15.4', early).verdict, 'current')
})
