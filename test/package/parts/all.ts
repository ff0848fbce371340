/**
 * Every part of the daemon that only some settings start, once, in the installed program: nothing
 * that bundling changes may be met first by an operator. TLS, the status page and a socket that is
 * inherited are part of the day that comes before.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Steps } from '../steps.js'
import { neighbours } from './neighbours.js'
import { outage } from './outage.js'
import { sockets } from './sockets.js'
import { spool } from './spool.js'
import { store } from './store.js'

export async function partSteps(steps: Steps, place: string): Promise<void> {
  const parts = join(place, 'parts')
  mkdirSync(parts)
  for (const each of [place, parts]) chmodSync(each, 0o755)
  await steps.step('part: store', () => store(parts, steps))
  await steps.step('part: journal, fallback', () => outage(parts, steps))
  await steps.step('part: spool', () => spool(parts, steps))
  await steps.step('part: proxy, cluster over TLS, metrics', () => neighbours(parts, steps))
  await steps.step('part: unix sockets', () => sockets(parts, steps))
}
