/** Frees what only the start of a thread needs, such as the settings' text, and bounds garbage. */
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'

const garbagePercent = 50

/**
 * Bounds garbage to a share of the memory in use, in all threads. By itself V8 lets a small heap
 * grow fourfold where memory is plenty, and keeps the pages for good.
 */
export function limitGarbage(): void {
  setFlagsFromString(`--heap-growing-percent=${garbagePercent}`)
}

/**
 * V8 collects garbage when something is allocated, so an idle daemon would keep the garbage of its
 * start: a sixth of its memory. The inspector is Node's documented way to ask for a full
 * collection; it takes about 40 ms. Where Node has none or forbids it, the memory stays in use.
 */
export async function releaseMemory(): Promise<void> {
  try {
    const { Session } = await import('node:inspector/promises')
    const session = new Session()
    session.connect()
    await session.post('HeapProfiler.collectGarbage')
    // Node hangs when a session disconnects inside its own callback.
    await setImmediate()
    session.disconnect()
  } catch {
    return
  }
}
