/** Spans of time in words: one form for the command line, the status page and the log's reader. */
import t from 'tap'
import { daysText, durationText, secondsText, spanText } from '../../src/time/span-text.js'
import { dayMs, hourMs, minuteMs } from '../../src/time/units.js'

t.test('a span is printed in its two largest units, or in one if that is enough', async (t) => {
  t.equal(spanText(-5), '0 s')
  t.equal(spanText(59_999), '59 s')
  t.equal(spanText(minuteMs), '1 min')
  t.equal(spanText(hourMs - 1), '59 min')
  t.equal(spanText(4 * hourMs + 12.5 * minuteMs), '4 h 12 min')
  t.equal(spanText(3 * dayMs + hourMs), '3 d 1 h')
})

t.test('how long something took is rounded to what can be compared', async (t) => {
  t.equal(durationText(0.26), '0.3 ms')
  t.equal(durationText(9.94), '9.9 ms')
  t.equal(durationText(120.4), '120 ms')
  t.equal(durationText(2499), '2.5 s')
})

t.test('limits are printed in seconds, and certificates in days', async (t) => {
  t.equal(secondsText(500), '0.5 s')
  t.equal(secondsText(30_000), '30 s')
  t.equal(daysText(2 * dayMs - 1), '1 day')
  t.equal(daysText(61.9 * dayMs), '61 days')
})
