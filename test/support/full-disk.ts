/** A full disk, as far as this process can tell. */
import { execFileSync } from 'node:child_process'

const ignore = () => undefined

/**
 * Bounds the size of every file of this process: a write beyond it is cut short and then fails.
 *
 * Node ignores the signal that comes with it; the test runner would end the process. It is heard
 * on the event loop only, perhaps when the limit is gone: from the first one on it stays ignored.
 */
export function limitFiles(bytes: number | 'unlimited'): void {
  if (!process.listeners('SIGXFSZ').includes(ignore)) process.on('SIGXFSZ', ignore)
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`])
}
