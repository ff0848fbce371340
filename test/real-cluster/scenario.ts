/** One scenario of the real cluster: bounded in time, and one line says what came of it. */
import type { Test } from 'tap'
import { setTimeout as delay } from 'node:timers/promises'

/** @returns what was seen, in a few words; @throws where a promise was broken */
type Body = (t: Test) => Promise<string>

/** @param id of the fault that it would show again; `SCENARIO`, a pattern, leaves others out */
export async function scenario(t: Test, id: string, seconds: number, body: Body): Promise<void> {
  const { SCENARIO } = process.env
  if (SCENARIO !== undefined && !new RegExp(SCENARIO).test(id)) return
  await t.test(id, { timeout: seconds * 1000 }, async (t) => {
    const startMs = performance.now()
    const say = (verdict: string) => {
      const passed = ((performance.now() - startMs) / 1000).toFixed(1)
      process.stderr.write(`VERDICT ${verdict} · ${id} (${passed} s)\n`)
    }
    try {
      say(`kept: ${await body(t)}`)
    } catch (error) {
      say(`BROKEN: ${error instanceof Error ? error.message : String(error)}`)
      throw error
    }
  })
}

/** @throws unless it is so */
export function must(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what)
}

/** Asks until nothing is left of what is wanted to be gone, and names what stays. */
export async function untilNone(
  what: string,
  seconds: number,
  find: () => Promise<readonly string[]>,
): Promise<void> {
  let left = await find()
  for (const end = Date.now() + seconds * 1000; left.length > 0 && Date.now() < end;) {
    await delay(200)
    left = await find()
  }
  must(left.length === 0, `${what}: ${left.length} after ${seconds} s, such as ${left[0] ?? ''}`)
}

/** Does something with each, some at the same time, in their order. */
export async function forEach<T>(
  all: Iterable<T>,
  atOnce: number,
  act: (one: T) => Promise<unknown>,
): Promise<void> {
  const next = all[Symbol.iterator]()
  const workers = Array.from({ length: atOnce }, async () => {
    for (let one = next.next(); one.done !== true; one = next.next()) await act(one.value)
  })
  await Promise.all(workers)
}
