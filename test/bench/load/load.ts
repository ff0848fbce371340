/** Many connections that each ask, wait for the answer, and ask again; every answer is checked. */
import { Connection } from './connection.js'
import type { Requests } from './requests.js'
import type { Seen } from './response-reader.js'

export interface Load {
  /** For the message when an answer is wrong. */
  readonly name: string
  readonly port: number
  readonly isTls?: boolean
  readonly requests: Requests
  readonly connections: number
  /** A connection for each request. */
  readonly isFresh?: boolean
  /** What every answer has to be. */
  readonly status: number
  /** Of its body; absent: whatever. */
  readonly bytes?: number
  /** After so many answers, or so much time, nothing more is asked. */
  readonly answersMax?: number
  readonly durationMs?: number
}

export interface Done {
  readonly answers: number
  readonly seconds: number
  /** Of each answer, from the request to its end. */
  readonly latenciesMs: readonly number[]
}

/** @throws at the first wrong answer, and at the first connection that is lost */
export async function run(load: Load): Promise<Done> {
  const shift = new Shift(load)
  const startMs = performance.now()
  await Promise.all(Array.from({ length: load.connections }, () => shift.caller()))
  const { latenciesMs } = shift
  const seconds = (performance.now() - startMs) / 1000
  return { answers: latenciesMs.length, seconds, latenciesMs }
}

class Shift {
  readonly latenciesMs: number[] = []
  private readonly endMs: number
  private isBroken = false

  constructor(private readonly load: Load) {
    this.endMs = performance.now() + (load.durationMs ?? Infinity)
  }

  caller(): Promise<void> {
    const { port, isTls = false, isFresh = false, requests } = this.load
    return new Promise((resolve, reject) => {
      let sentMs = 0
      let connection: Connection
      const fail = (error: Error): void => {
        this.isBroken = true
        connection.close()
        reject(new Error(`${this.load.name}: ${error.message}`))
      }
      const onAnswer = (seen: Seen): void => {
        const nowMs = performance.now()
        this.latenciesMs.push(nowMs - sentMs)
        const wrong = this.wrongIn(seen)
        if (wrong !== undefined) {
          fail(new Error(wrong))
        } else if (this.isOver(nowMs)) {
          connection.end()
          resolve()
        } else {
          if (isFresh || !seen.isKept) {
            connection.end()
            connection = open()
          }
          send()
        }
      }
      const open = (): Connection => new Connection(port, isTls, { onAnswer, onLost: fail })
      const send = (): void => {
        sentMs = performance.now()
        connection.write(requests.next())
      }
      connection = open()
      send()
    })
  }

  private wrongIn({ status, bytes }: Seen): string | undefined {
    const { status: rightStatus, bytes: rightBytes = bytes } = this.load
    if (status === rightStatus && bytes === rightBytes) return undefined
    return `answered ${status} with ${bytes} bytes, not ${rightStatus} with ${rightBytes}`
  }

  private isOver(nowMs: number): boolean {
    const { answersMax = Infinity } = this.load
    return this.isBroken || nowMs >= this.endMs || this.latenciesMs.length >= answersMax
  }
}
