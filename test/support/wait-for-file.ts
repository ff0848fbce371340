/** Waits for what another process writes into a file. */
import { once } from 'node:events'
import { readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Resolves with the text of the file once it fits; a file that does not exist has no text. The
 * kernel reports each change: a loop that reads again and again would take the processor from the
 * writer.
 */
export async function waitForFile(file: string, fits: (text: string) => boolean): Promise<string> {
  // The watch begins before the first look, so no change is missed in between.
  const changes = watch(dirname(file))
  try {
    for (;;) {
      const text = textOf(file)
      if (fits(text)) return text
      await once(changes, 'change')
    }
  } finally {
    changes.close()
  }
}

/** The text of a file, empty where the file does not exist. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
