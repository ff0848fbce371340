/** A pin renewed when it had run out is looked at again, until no sweep can have it on its list. */
import t from 'tap'
import { Aftercare, isNearSweep } from '../../src/leases/aftercare.js'
import type { PinRecord } from '../../src/leases/pin-record.js'

/** A clock that a test turns. */
function clock() {
  let [now, waiting] = [0, [] as { at: number; call: () => void }[]]
  return {
    later: (ms: number, call: () => void) => {
      const entry = { at: now + ms, call }
      waiting.push(entry)
      return () => {
        waiting = waiting.filter((other) => other !== entry)
      }
    },
    async turn(ms: number): Promise<void> {
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

t.test('it is looked at four times within six minutes, also when a look fails', async (t) => {
  const time = clock()
  const { later } = time
  const turn = (ms: number) => time.turn(ms)
  const looks: string[] = []
  const errors: unknown[] = []
  const care = new Aftercare({
    later,
    onError: (_cid, error) => errors.push(error),
    restore: (cid) => {
      looks.push(cid)
      return looks.length === 2 ? Promise.reject(new Error('down')) : Promise.resolve(true)
    },
  })
  care.watch('a')
  await turn(4999)
  t.same(looks, [])
  await turn(1)
  t.same(looks, ['a'])
  await turn(354_999)
  t.equal(looks.length, 3)
  await turn(1)
  t.equal(looks.length, 4)
  t.equal(errors.length, 1)
  await turn(3_600_000)
  t.equal(looks.length, 4)
})

t.test('it is left alone when nobody holds it, and begun anew when it is renewed', async (t) => {
  const time = clock()
  const { later } = time
  const turn = (ms: number) => time.turn(ms)
  const looks: string[] = []
  const care = new Aftercare({
    later,
    onError: () => undefined,
    restore: (cid) => Promise.resolve(looks.push(cid) < 2),
  })
  care.watch('a')
  await turn(4000)
  care.watch('a')
  await turn(4000)
  t.same(looks, [])
  await turn(3_600_000)
  t.same(looks, ['a', 'a'])
  care.watch('b')
  care.close()
  await turn(3_600_000)
  t.equal(looks.length, 2)
})

t.test('what is far from its end is in no danger', async (t) => {
  const record = (expiresMs: number) => ({ expiresMs }) as PinRecord
  t.equal(isNearSweep(undefined, 0), false)
  t.equal(isNearSweep(record(Infinity), 0), false)
  t.equal(isNearSweep(record(120_000), 0), false)
  t.equal(isNearSweep(record(30_000), 0), true)
  t.equal(isNearSweep(record(-1), 0), true)
})
