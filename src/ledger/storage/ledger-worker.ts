/** The ledger's thread: SQLite waits for the disk here, while the daemon's requests continue. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { DiskFault } from './disk-fault.js'
import { LedgerService } from './ledger-service.js'

export interface CallMessage {
  readonly id: number
  readonly name: keyof LedgerService
  readonly args: readonly unknown[]
}

export interface ReplyMessage {
  readonly id: number
  readonly value?: unknown
  readonly error?: { readonly message: string; readonly isDisk: boolean }
}

export interface LedgerWorkerData {
  readonly directory: string | undefined
}

if (parentPort !== null) serve(parentPort, workerData as LedgerWorkerData)

function serve(port: MessagePort, { directory }: LedgerWorkerData): void {
  const service = new LedgerService(directory)
  port.on('message', (message: CallMessage) => {
    void answer(service, message).then((reply) => {
      port.postMessage(reply)
      if (message.name === 'close') port.close()
    })
  })
}

async function answer(
  service: LedgerService,
  { id, name, args }: CallMessage,
): Promise<ReplyMessage> {
  try {
    // Both sides use the types of the service: see worker-calls.ts.
    const calls = service as unknown as Record<string, (...args: unknown[]) => unknown>
    return { id, value: await calls[name]?.(...args) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { id, error: { message, isDisk: error instanceof DiskFault } }
  }
}
