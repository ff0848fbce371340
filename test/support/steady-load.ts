/** Load without a pause, of which nothing may be lost. */
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { Agent as TlsAgent, request as requestOverTls } from 'node:https'

/** Clients that ask without a pause, half of them over connections that they keep. */
export class SteadyLoad {
  answered = 0
  readonly failures: string[] = []
  private readonly agent: Agent
  private readonly clients: Promise<void>[]
  private isOver = false

  /** @param origin of a gate, whose identity is not checked */
  constructor(
    private readonly origin: string,
    private readonly key: string,
  ) {
    this.agent = this.newAgent(true)
    const kept = Array.from({ length: 4 }, () => this.run(this.agent))
    const fresh = Array.from({ length: 4 }, () => this.run(this.newAgent(false)))
    this.clients = [...kept, ...fresh]
  }

  /** Waits for so many more. */
  async answers(count: number): Promise<void> {
    const enough = this.answered + count
    while (this.answered < enough && this.failures.length === 0)
      await new Promise((resolve) => setImmediate(resolve))
  }

  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.clients)
    this.agent.destroy()
  }

  private async run(agent: Agent): Promise<void> {
    while (!this.isOver) {
      try {
        const status = await this.ask(agent)
        if (status !== 200) this.failures.push(`status ${status}`)
        this.answered++
      } catch (error) {
        this.failures.push(String(error))
      }
    }
  }

  private async ask(agent: Agent): Promise<number | undefined> {
    const headers = { authorization: `Bearer ${this.key}` }
    const ask = this.origin.startsWith('https') ? requestOverTls : request
    const asking = ask(`${this.origin}/id`, { agent, headers }).end()
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    await once(answer.resume(), 'end')
    return answer.statusCode
  }

  private newAgent(keepAlive: boolean): Agent {
    return this.origin.startsWith('https')
      ? new TlsAgent({ keepAlive, rejectUnauthorized: false })
      : new Agent({ keepAlive })
  }
}
