/** Gives back what starting took and running does not need, such as the settings' text. */
import { setImmediate } from 'node:timers/promises'

/**
 * V8 collects when something is allocated, so an idle daemon would hold for good what its start
 * left behind: a sixth of its memory. The inspector is Node's documented way to ask for a thorough
 * collection; it takes some 40 ms. Where Node has none or forbids it, the memory is held.
 */
export async function releaseMemory(): Promise<void> {
  try {
    const { Session } = await import('node:inspector/promises')
    const session = new Session()
    session.connect()
    await session.post('HeapProfiler.collectGarbage')
    // Node hangs when a session ends inside the answer to its own question.
    await setImmediate()
    session.disconnect()
  } catch {
    return
  }
}
