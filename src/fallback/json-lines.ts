/** A stream of JSON values, one a line. */
import { LineSplitter } from '../text/line-splitter.js'

const lineBytesMax = 65_536

/** @throws SyntaxError when a line is not JSON, or too long */
export async function* jsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator {
  const lines = new LineSplitter()
  for await (const chunk of chunks) {
    for (const line of lines.take(chunk)) if (line.length > 0) yield JSON.parse(line.toString())
    if (lines.restBytes > lineBytesMax) throw new SyntaxError('a line is too long')
  }
  if (lines.restBytes > 0) yield JSON.parse(lines.takeRest().toString())
}
