/** Steady load that checks every answer against what each caller expects. */
import { Pool } from 'undici'

const cids = [
  'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
  'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn',
  'bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u',
]

/** What became of one request. */
export interface Verdict {
  readonly caller: string
  /** Whether others who ask the same meanwhile may get the same answer. */
  readonly isShareable: boolean
  readonly status: number | undefined
  readonly requestId: string | undefined
  readonly durationMs: number
  /** Why it was not the right answer; undefined: it was. */
  readonly wrong: string | undefined
}

export interface Caller {
  /** Statuses that are right from now on. A request in flight may still end as before. */
  expect(...statuses: readonly number[]): void
}

/** Callers that ask one request after the other, as fast as they are answered. */
export class Load {
  readonly verdicts: Verdict[] = []
  private readonly pool: Pool
  private readonly running: Promise<void>[] = []
  private isOver = false

  constructor(origin: string) {
    // What the certificate is worth is judged elsewhere.
    this.pool = new Pool(origin, { connect: { rejectUnauthorized: false } })
  }

  /** @param isFresh whether each request comes over a connection of its own */
  start(name: string, credential: string, isFresh: boolean, ...statuses: number[]): Caller {
    let expected: readonly number[] = statuses
    const headers = { authorization: `Basic ${btoa(credential)}` }
    const call = async (): Promise<void> => {
      for (let turn = 0; !this.isOver; turn++) {
        const before = expected
        const right = () => [...before, ...expected]
        this.verdicts.push(await this.ask(name, turn, headers, isFresh, right))
      }
    }
    this.running.push(call())
    return {
      expect: (...now) => {
        expected = now
      },
    }
  }

  /** Lets what is in flight end. */
  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.running)
    await this.pool.close()
  }

  private async ask(
    caller: string,
    turn: number,
    headers: Record<string, string>,
    reset: boolean,
    right: () => readonly number[],
  ): Promise<Verdict> {
    const cid = cids[turn % cids.length] ?? ''
    const [method, path] = questions(cid)[turn % 4] ?? ['GET', '/id']
    const isShareable = method === 'GET' && path !== '/id'
    const startMs = performance.now()
    const verdict = (wrong: string | undefined, status?: number, requestId?: string): Verdict => {
      const durationMs = performance.now() - startMs
      return { caller, isShareable, status, requestId, durationMs, wrong }
    }
    try {
      const {
        statusCode,
        headers: answer,
        body,
      } = await this.pool.request({
        ...{ method, path, headers, reset },
        headersTimeout: 10_000,
        bodyTimeout: 10_000,
      })
      const text = await body.text()
      const id = String(answer['x-request-id'])
      const wrong = right().includes(statusCode)
        ? wrongBody(text, statusCode, path === '/id' ? undefined : cid)
        : `${statusCode}, not ${right().join(' or ')}: ${text.trim()}`
      return verdict(wrong, statusCode, id)
    } catch (error) {
      return verdict(error instanceof Error ? error.message : String(error))
    }
  }
}

const questions = (cid: string): readonly (readonly ['GET' | 'POST', string])[] => [
  ['GET', '/id'],
  ['POST', `/pins/${cid}`],
  ['GET', `/pins/${cid}`],
  ['GET', `/pins/${cid}?local=true`],
]

/** The answer must be whole, and one to this very question. */
function wrongBody(text: string, status: number, cid: string | undefined): string | undefined {
  const answer = JSON.parse(text) as { code?: number; cid?: string; id?: string }
  if (status !== 200) return answer.code === status ? undefined : `not an error: ${text}`
  const isRight = cid === undefined ? answer.id !== undefined : answer.cid === cid
  return isRight ? undefined : `another answer: ${text}`
}
