/** Says whether the gate is ready, without many requests to the cluster. */

export interface ReadinessParts {
  /** Other reasons not to be ready, such as `settings` or `stopping`; empty when there are none. */
  readonly obstacles: () => readonly string[]
  readonly isClusterUp: () => Promise<boolean>
  /** How long an answer of the cluster is used again. */
  readonly cacheMs?: number
  /** Longest wait for it; then the cluster counts as down. */
  readonly timeoutMs?: number
}

/** @returns what is missing; nothing when ready */
export function createReadiness(parts: ReadinessParts): () => Promise<readonly string[]> {
  const { obstacles, isClusterUp, cacheMs = 1000, timeoutMs = 2000 } = parts
  let pending: Promise<boolean> | undefined
  let last = { isUp: false, untilMs: -Infinity }

  const ask = async (): Promise<boolean> => {
    const isUp = await within(timeoutMs, isClusterUp)
    last = { isUp, untilMs: performance.now() + cacheMs }
    pending = undefined
    return isUp
  }

  return async () => {
    const isUp = performance.now() < last.untilMs ? last.isUp : await (pending ??= ask())
    return [...obstacles(), ...(isUp ? [] : ['cluster'])]
  }
}

/** Also false if the request cannot be sent, or gets no answer in time. */
async function within(timeoutMs: number, question: () => Promise<boolean>): Promise<boolean> {
  let clock: NodeJS.Timeout | undefined
  const tooLate = new Promise<boolean>((resolve) => {
    clock = setTimeout(resolve, timeoutMs, false)
  })
  try {
    return await Promise.race([question(), tooLate])
  } catch {
    return false
  } finally {
    clearTimeout(clock)
  }
}
