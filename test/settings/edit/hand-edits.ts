/**
 * An operator at an editor, as a program: adds an encoder to a file again and again, by a new file
 * in the old one's place or by writing it over, and says what became of the last one.
 */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'

const [path = '', stop = ''] = process.argv.slice(2)
const lost: string[] = []
let last: string | undefined
let count = 0
/** About as long as an edit of the program takes at present: half of them come through. */
let pauseMs = 4

const pause = new Int32Array(new SharedArrayBuffer(4))

while (!existsSync(stop)) {
  let encoders: Record<string, object>
  let ino: number
  try {
    ;({ ino } = statSync(path))
    ;({ encoders } = JSON.parse(readFileSync(path, 'utf8')) as { encoders: typeof encoders })
  } catch {
    // In the moment in which it is replaced it has no name.
    continue
  }
  if (last !== undefined && !(last in encoders)) lost.push(last)
  Atomics.wait(pause, 0, 0, Math.random() * pauseMs)
  pauseMs *= statSync(path, { throwIfNoEntry: false })?.ino === ino ? 1.02 : 0.98
  last = `hand-${++count}`
  const text = JSON.stringify({ encoders: { [last]: {} } })
  if (count % 2 === 0) writeFileSync(path, text)
  else {
    writeFileSync(`${path}.mine`, text)
    renameSync(`${path}.mine`, path)
  }
}
process.stdout.write(JSON.stringify({ count, lost, last }))
