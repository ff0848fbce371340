/** When a key expires: the forms that the command line takes. */
import t from 'tap'
import { expiryOf } from '../../../src/cli/keys/expiry.js'

const now = new Date('2026-01-31T10:20:30.456Z')

t.test('a span, a day or a time becomes a time in UTC', async (t) => {
  const cases = {
    '12h': '2026-01-31T22:20:30Z',
    '1d': '2026-02-01T10:20:30Z',
    '2w': '2026-02-14T10:20:30Z',
    '1y': '2027-01-31T10:20:30Z',
    '2026-02-01': '2026-02-01T00:00:00Z',
    '2028-02-29': '2028-02-29T00:00:00Z',
    '2026-02-01T12:00:00Z': '2026-02-01T12:00:00Z',
    '2026-02-01T12:00+02:00': '2026-02-01T10:00:00Z',
  }
  for (const [text, expected] of Object.entries(cases)) t.equal(expiryOf(text, now), expected, text)
})

t.test('a malformed, past or absurd expiry is wrong usage', async (t) => {
  const bad = ['', '0d', '90', 'd', '-1d', '1.5d', '1m', 'tomorrow', '2026-02-30', '2026-13-01']
  const more = [
    '2026-01-31',
    '2026-02-01T12:00:00',
    '2026-02-01T24:00:00Z',
    '9000y',
    '9'.repeat(400) + 'd',
  ]
  for (const text of [...bad, ...more])
    t.throws(() => expiryOf(text, now), { name: 'UsageError' }, text)
})
