/** A stream of JSON values, one a line. */
import { StringDecoder } from 'node:string_decoder'

const lineCharsMax = 65_536

/** @throws SyntaxError when one is none, or too long */
export async function* jsonLines(parts: AsyncIterable<Buffer>): AsyncGenerator {
  const decoder = new StringDecoder()
  let rest = ''
  for await (const part of parts) {
    const lines = (rest + decoder.write(part)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > lineCharsMax) throw new SyntaxError('a line is too long')
    for (const line of lines) if (line !== '') yield JSON.parse(line)
  }
  if (rest !== '') yield JSON.parse(rest)
}
