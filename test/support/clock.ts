/** Time that a test lets pass. */

/** A clock that a test turns. */
export function clock() {
  let [now, waiting] = [0, [] as { at: number; call: () => void }[]]
  return {
    now: () => now,
    monotonic: () => now,
    setTimer: (ms: number, call: () => void) => {
      const entry = { at: now + ms, call }
      waiting.push(entry)
      return () => {
        waiting = waiting.filter((other) => other !== entry)
      }
    },
    turn: async (ms: number): Promise<void> => {
      for (const end = now + ms; ; await settled()) {
        const next = waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) {
          now = end
          return
        }
        now = next.at
        waiting = waiting.filter((other) => other !== next)
        next.call()
      }
    },
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
