/** Lines of a stream, in whatever pieces it comes. */
import t from 'tap'
import { ShownLines } from '../../src/leases/shown.js'
import { LineSplitter } from '../../src/text/line-splitter.js'

t.test('lines are the same in pieces of any size, and the last needs its end', async (t) => {
  const bytes = Buffer.from('one\n\ntwö\nthree')
  for (const size of [1, 2, 3, bytes.length]) {
    const splitter = new LineSplitter()
    const lines: string[] = []
    for (let at = 0; at < bytes.length; at += size) {
      const chunk = Buffer.from(bytes.subarray(at, at + size))
      for (const line of splitter.take(chunk)) lines.push(line.toString())
      // What is kept of a chunk is a copy.
      chunk.fill('x')
    }
    t.same(lines, ['one', '', 'twö'], `in pieces of ${size}`)
    t.equal(splitter.restBytes, 5)
    t.equal(splitter.takeRest().toString(), 'three')
    t.equal(splitter.restBytes, 0)
  }
})

t.test('a line in pieces of one byte costs what its bytes cost', async (t) => {
  const lines = new LineSplitter()
  const shown = new ShownLines((whole) => whole)
  const byte = Buffer.from('{')
  const before = process.threadCpuUsage()
  for (let count = 0; count < 400_000; count++) {
    for (const line of lines.take(byte)) t.fail(line.toString())
    shown.take(byte)
  }
  const { user, system } = process.threadCpuUsage(before)
  t.ok(user + system < 5_000_000, `${user + system} µs`)
  t.equal([...lines.take(Buffer.from('}\n'))][0]?.length, 400_001)
  t.equal(shown.take(Buffer.from('}\n'))[0]?.length, 400_002)
})
