/** Calls to the ledger's thread; if a bug ends it, a new thread takes the file. */
import { Worker } from 'node:worker_threads'
import { LedgerFault } from './ledger-storage.js'
import { LedgerService } from './ledger-service.js'
import type { CallMessage, LedgerWorkerData, ReplyMessage } from './ledger-worker.js'

interface PendingCall {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

export class WorkerCalls {
  private worker: Worker | undefined
  private readonly pending = new Map<number, PendingCall>()
  private id = 0
  private isEnding = false

  /** @param onCrash the thread ended, because of a bug */
  constructor(
    private readonly directory: string,
    private readonly onCrash: (error: unknown) => void,
  ) {}

  /** @throws LedgerFault if the disk is the reason, else Error */
  call<K extends keyof LedgerService>(
    name: K,
    ...args: Parameters<LedgerService[K]>
  ): Promise<Awaited<ReturnType<LedgerService[K]>>> {
    if (this.isEnding) return Promise.reject(new LedgerFault('the ledger is closed'))
    return new Promise((resolve, reject) => {
      const id = ++this.id
      this.pending.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.worker ??= this.startWorker()
      this.worker.postMessage({ id, name, args } satisfies CallMessage)
    })
  }

  /** @param ms time after which the thread is terminated */
  async close(nextSeq: number | undefined, ms: number): Promise<void> {
    const closed = this.call('close', nextSeq)
    this.isEnding = true
    const { worker } = this
    let clock: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      clock = setTimeout(() => {
        reject(new LedgerFault('the disk of the ledger did not answer in time'))
      }, ms)
    })
    try {
      await Promise.race([closed, late])
    } finally {
      clearTimeout(clock)
      await worker?.terminate()
    }
  }

  private startWorker(): Worker {
    const worker = new Worker(new URL('./ledger-worker.js', import.meta.url), {
      name: 'ledger',
      workerData: { directory: this.directory } satisfies LedgerWorkerData,
      // The thread does not load the modules that the process preloads.
      execArgv: [],
      // The only state of the thread is the calls in flight.
      resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 },
    })
    let reason: unknown = new Error('the thread of the ledger ended')
    worker.on('message', (reply: ReplyMessage) => {
      this.settle(reply)
    })
    worker.on('error', (error) => {
      reason = error
    })
    worker.on('exit', () => {
      if (this.worker === worker) this.worker = undefined
      const pending = [...this.pending.values()]
      this.pending.clear()
      for (const { reject } of pending) reject(new LedgerFault('the thread of the ledger ended'))
      if (!this.isEnding) this.onCrash(reason)
    })
    return worker
  }

  private settle({ id, value, error }: ReplyMessage): void {
    const call = this.pending.get(id)
    this.pending.delete(id)
    if (error === undefined) call?.resolve(value)
    else call?.reject(error.isDisk ? new LedgerFault(error.message) : new Error(error.message))
  }
}

type Calls = Record<string, (...args: unknown[]) => unknown>

/** Calls to a ledger in memory, which needs no thread, as it never waits for a disk. */
export class DirectCalls {
  private readonly service = new LedgerService(undefined)
  private isClosed = false

  /** @throws LedgerFault after `close` */
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
