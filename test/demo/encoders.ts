/** Encoders at work while the demo runs: one pins, one looks, one has a wrong key. */
import { request } from 'node:https'
import { setTimeout } from 'node:timers/promises'
import { generateKey } from '../../src/settings/keyring/key.js'
import { cidOf } from '../support/fake-cluster/cids.js'

/** The first minute shows much; after that, hours of activity only have to show that it works. */
const [paceMs, latePaceMs, roundsAtFirst] = [2000, 15_000, 30]

type Ask = (method: string, path: string) => Promise<void>

/** @param keys of `studio-1` to `studio-3`, by name */
export function startEncoders(
  url: string,
  keys: Readonly<Record<string, string>>,
): AsyncDisposable {
  const leaving = new AbortController()
  const { signal } = leaving
  const as = (name: string, key = keys[name]): Ask => ask(url, `${name}:${key ?? ''}`, signal)
  const works = [
    everyRound(signal, 0, pinsAndUnpins(as('studio-1'))),
    everyRound(signal, 500, looks(as('studio-2'))),
    everyRound(signal, 1100, guesses(as('studio-3', generateKey()))),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      leaving.abort()
      await Promise.all(works)
    },
  }
}

type Round = (round: number) => Promise<void>

/** Each video's segments are pinned, and those of two rounds ago are let go. */
const pinsAndUnpins =
  (ask: Ask): Round =>
  async (round) => {
    await ask('POST', `/pins/${segment(round)}?name=segment-${round}`)
    if (round >= 2) await ask('DELETE', `/pins/${segment(round - 2)}`)
  }

const segment = (round: number): string => cidOf(`segment ${round}`)

const looks =
  (ask: Ask): Round =>
  async (round) => {
    await ask('GET', round % 3 === 2 ? '/pins' : `/pins/${segment(round)}`)
  }

const guesses =
  (ask: Ask): Round =>
  async (round) => {
    if (round % 4 === 0) await ask('GET', '/id')
  }

async function everyRound(signal: AbortSignal, delayMs: number, work: Round): Promise<void> {
  try {
    await setTimeout(delayMs, undefined, { signal })
    for (let round = 0; !signal.aborted; round++) {
      await work(round)
      await setTimeout(round < roundsAtFirst ? paceMs : latePaceMs, undefined, { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

const ask =
  (url: string, auth: string, signal: AbortSignal): Ask =>
  async (method, path) => {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    request(`${url}${path}`, { method, auth, signal, rejectUnauthorized: false }, (answer) => {
      answer.resume().on('close', () => {
        resolve(undefined)
      })
    })
      .on('error', reject)
      .end()
    await promise
  }
