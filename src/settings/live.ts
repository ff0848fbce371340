/** The settings in force, replaced whole by a reload, or kept when the new ones are no good. */
import { type Changes, changesBetween } from './changes.js'
import { loadSettings, type Settings } from './load.js'
import { ConfigError, type Problem } from './problems.js'
import type { Snapshot } from './snapshot.js'
import type { TlsMaterial } from './tls-pair.js'

export type Reload =
  | {
      readonly isApplied: true
      readonly changes: Partial<Changes>
      readonly warnings: readonly string[]
      /** Whether certificate or key are others than before. */
      readonly hasNewCertificate: boolean
    }
  | { readonly isApplied: false; readonly problems: readonly Problem[] }

export class LiveSettings {
  private snapshot: Snapshot
  private material: TlsMaterial | undefined
  private reloading: Promise<unknown> = Promise.resolve()
  private inForceSince = new Date()
  private isLastRefused = false

  private constructor(
    private readonly path: string,
    settings: Settings,
  ) {
    this.snapshot = settings.snapshot
    this.material = settings.tls
  }

  /** @throws ConfigError */
  static async load(path: string): Promise<{ live: LiveSettings; warnings: readonly string[] }> {
    const settings = await loadSettings(path)
    return { live: new LiveSettings(path, settings), warnings: settings.warnings }
  }

  /** The snapshot in force: a request asks once and keeps what it got. */
  readonly current = (): Snapshot => this.snapshot

  get tls(): TlsMaterial | undefined {
    return this.material
  }

  /** Since when the settings are in force, and whether newer ones were refused. */
  get state(): { readonly since: Date; readonly isLastRefused: boolean } {
    return { since: this.inForceSince, isLastRefused: this.isLastRefused }
  }

  /** Files whose change is a reason to reload; later settings may name others. */
  get files(): readonly string[] {
    const { listen, cluster } = this.snapshot.config
    const named = [
      listen.tls?.certFile,
      listen.tls?.keyFile,
      ...cluster.endpoints.flatMap(({ passwordFile, caFile }) => [passwordFile, caFile]),
    ]
    return [this.path, ...named.filter((file) => file !== undefined)]
  }

  /** Reads everything anew, one reload after the other; problems leave the old ones in force. */
  reload(): Promise<Reload> {
    const reload = this.reloading.then(async () => {
      const outcome = await this.read().catch((error: unknown) => {
        this.isLastRefused = true
        throw error
      })
      this.isLastRefused = !outcome.isApplied
      if (outcome.isApplied) this.inForceSince = new Date()
      return outcome
    })
    this.reloading = reload.catch(() => undefined)
    return reload
  }

  private async read(): Promise<Reload> {
    let settings: Settings
    try {
      settings = await loadSettings(this.path)
    } catch (error) {
      if (error instanceof ConfigError) return { isApplied: false, problems: error.problems }
      throw error
    }
    const before = this.snapshot.config
    const after = settings.snapshot.config
    const { tls, warnings } = settings
    const hasNewCertificate = tls?.cert !== this.material?.cert || tls?.key !== this.material?.key
    this.snapshot = Object.freeze({
      ...settings.snapshot,
      // What the listener was opened with stays true until a restart.
      config: Object.freeze({ ...after, listen: Object.freeze(listenOf(before, after)) }),
    })
    // TLS is switched on or off by a restart only.
    if (this.material !== undefined && tls !== undefined) this.material = tls
    return { isApplied: true, changes: changesBetween(before, after), warnings, hasNewCertificate }
  }
}

/** The listener as it is, with the files of the certificate as they now are. */
function listenOf(
  { listen: before }: Snapshot['config'],
  { listen: after }: Snapshot['config'],
): Snapshot['config']['listen'] {
  if (before.tls === undefined || after.tls === undefined) return before
  return { ...before, tls: after.tls }
}
