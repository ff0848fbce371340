/**
 * Stores the encoders' names in the ledger: `init` and `keys add` find a leaseId by its name when
 * the settings were lost.
 */
import type { Logger } from '../log/logger.js'
import { namesByHolder } from '../leases/holder-names.js'
import { operator } from '../leases/lease.js'
import type { LedgerOperation } from '../ledger/storage/ledger-storage.js'
import type { LedgerDisk } from '../ledger/storage/ledger-disk.js'
import type { Snapshot } from '../settings/snapshot.js'

type Names = ReadonlyMap<string, string>

export class EncoderNames {
  private inForce: Names = new Map()
  private writing: Promise<void> = Promise.resolve()

  constructor(
    private readonly storage: Pick<LedgerDisk, 'commit' | 'names'>,
    private readonly log: Logger,
  ) {}

  /** As the ledger knows them, by leaseId. */
  async read(): Promise<Names> {
    await this.writing
    return this.storage.names()
  }

  /**
   * An encoder that was removed from the settings loses its name here, so a later one of the same
   * name inherits nothing. Lost settings remove no name.
   */
  update(snapshot: Snapshot): void {
    const names = new Map(namesByHolder(snapshot))
    names.delete(operator)
    this.writing = this.writing
      .then(() => this.write(names))
      .catch((err: unknown) => {
        this.log('warn', { err }, 'could not store the names of encoders in the ledger')
      })
  }

  private async write(names: Names): Promise<void> {
    const before = this.inForce
    this.inForce = names
    const known = await this.storage.names()
    const taken = new Set(names.values())
    const operations: LedgerOperation[] = []
    for (const [holder, name] of known)
      if (!names.has(holder) && (before.has(holder) || taken.has(name)))
        operations.push({ kind: 'name', holder, name: '' })
    for (const [holder, name] of names)
      if (known.get(holder) !== name) operations.push({ kind: 'name', holder, name })
    if (operations.length > 0) await this.storage.commit(operations)
  }
}
