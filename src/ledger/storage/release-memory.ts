/** Frees what only the start of a thread needs, such as the settings' text. */
import { setImmediate } from 'node:timers/promises'

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
