/** Calls to a ledger that is kept in memory: it needs no thread, as it waits for no disk. */
import { LedgerFault } from './ledger-storage.js'
import { LedgerService } from './ledger-service.js'

type Calls = Record<string, (...args: unknown[]) => unknown>

export class DirectCalls {
  private readonly service = new LedgerService(undefined)
  private isClosed = false

  /** @throws LedgerFault once it is closed */
  async call<K extends keyof LedgerService>(
    name: K,
    ...args: Parameters<LedgerService[K]>
  ): Promise<Awaited<ReturnType<LedgerService[K]>>> {
    if (this.isClosed) throw new LedgerFault('the ledger is closed')
    const answer = await (this.service as unknown as Calls)[name]?.(...args)
    return answer as Awaited<ReturnType<LedgerService[K]>>
  }

  async close(nextSeq: number | undefined): Promise<void> {
    const closed = this.call('close', nextSeq)
    this.isClosed = true
    await closed
  }
}
