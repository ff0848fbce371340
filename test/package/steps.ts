/** The steps of `npm run test:package`: each one's time, and what was seen in it. */
import { table } from '../../src/cli/text-table.js'

/** What a step needs to have something ended when all is over. */
export interface Teardown {
  teardown(end: () => unknown): void
}

export class Steps implements Teardown {
  private readonly rows: string[][] = []
  private readonly ends: (() => unknown)[] = []

  /** @param work returns what was seen; a step that fails ends the whole run */
  async step(name: string, work: () => Promise<string>): Promise<void> {
    const startMs = performance.now()
    const took = () => ((performance.now() - startMs) / 1000).toFixed(1)
    try {
      const seen = await work()
      this.rows.push([name, took(), seen])
    } catch (error) {
      this.rows.push([name, took(), 'FAILED'])
      throw error
    }
  }

  teardown(end: () => unknown): void {
    this.ends.unshift(end)
  }

  /** Ends what the steps began, the last thing first. */
  async end(): Promise<void> {
    for (const end of this.ends) await end()
  }

  get table(): string {
    return table(['STEP', 'SECONDS', 'SEEN'], this.rows)
  }
}
