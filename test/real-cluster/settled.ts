/** Waits, within bounds, for what a cluster does behind its answers. */
import { setTimeout as delay } from 'node:timers/promises'

const patienceMs = 30_000

/** Asks until there is an answer; undefined: not yet. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + patienceMs; Date.now() < end;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await delay(50)
  }
  throw new Error(`not within ${patienceMs} ms: ${what}`)
}

/** The cluster has no operation in flight any more. */
export async function settled(url: string): Promise<void> {
  const inFlight = 'queued,pinning,unpinning'
  await eventually('all operations are over', async () => {
    const answer = await fetch(`${url}/pins?filter=${inFlight}`)
    const text = await answer.text()
    return text === '' || answer.status === 401 ? true : undefined
  })
}
