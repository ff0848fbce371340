/** Text that commands read may come from an editor of any system. */
import { Readable } from 'node:stream'
import t from 'tap'
import { linesOf } from '../../../src/cli/tail/follow.js'

/** CIDs to adopt, plans and logs are all read by it. */
t.test('a byte order mark and Windows line ends are not part of a line', async (t) => {
  const bytes = Buffer.from('\uFEFFone\r\ntwo\r\n\r\nthr\uFEFFee')
  for (const size of [1, 2, 5, bytes.length]) {
    const parts = []
    for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size))
    const lines = []
    for await (const line of linesOf(Readable.from(parts))) lines.push(line)
    t.same(lines, ['one', 'two', '', 'thr\uFEFFee'], `in pieces of ${size}`)
  }
})
