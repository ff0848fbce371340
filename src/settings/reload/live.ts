/** The settings in force, replaced whole by a reload, or kept when the new ones are no good. */
import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Changes, changesBetween } from './changes.js'
import { watchedFiles } from '../files/paths.js'
import { loadSettings, type Settings } from '../load.js'
import { ConfigError, type Problem } from '../problems.js'
import { listenInForce, waitingFields } from './restart.js'
import type { Config } from '../schema/schema.js'
import type { Snapshot } from '../snapshot.js'
import type { TlsMaterial } from '../files/tls-pair.js'

export type Reload =
  | {
      readonly isApplied: true
      readonly changes: Partial<Changes>
      /** Fields that wait for a restart, also those of earlier reloads. */
      readonly needRestart: readonly string[]
      readonly warnings: readonly string[]
      /** Whether certificate, key or version of TLS are others than before. */
      readonly hasNewTls: boolean
    }
  | { readonly isApplied: false; readonly problems: readonly Problem[] }

export interface SettingsState {
  /** The file that they are read from; absent: from none. */
  readonly file?: string
  /** When the settings in force were read. */
  readonly since: Date
  /** Whether newer ones were refused. */
  readonly isLastRefused: boolean
  /** Fields whose newest value waits for a restart. */
  readonly needRestart: readonly string[]
}

/** What the daemon was opened with, and what a reload put in its place. */
export interface SettingsInForce {
  /** A request asks once and keeps what it got. */
  readonly current: () => Snapshot
  readonly tls: TlsMaterial | undefined
  readonly state: SettingsState
}

export class LiveSettings implements SettingsInForce {
  private snapshot: Snapshot
  private material: TlsMaterial | undefined
  private fileDigests: Settings['fileDigests']
  private reloading: Promise<unknown> = Promise.resolve()
  private inForceSince = new Date()
  private isLastRefused = false
  private needRestart: readonly string[] = []
  /** What the daemon was opened with: parts of it stay in force until a restart. */
  private readonly started: Config

  private constructor(
    private readonly path: string,
    settings: Settings,
  ) {
    this.snapshot = settings.snapshot
    this.material = settings.tls
    this.fileDigests = settings.fileDigests
    this.started = settings.snapshot.config
  }

  /** @throws ConfigError */
  static async load(path: string): Promise<{ live: LiveSettings; warnings: readonly string[] }> {
    const settings = await loadSettings(path)
    return { live: new LiveSettings(path, settings), warnings: settings.warnings }
  }

  readonly current = (): Snapshot => this.snapshot

  get tls(): TlsMaterial | undefined {
    return this.material
  }

  get state(): SettingsState {
    const { inForceSince: since, isLastRefused, needRestart } = this
    return { file: resolve(this.path), since, isLastRefused, needRestart }
  }

  /** Files whose change is a reason to reload; later settings may name others. */
  get files(): readonly string[] {
    return [this.path, ...watchedFiles(this.snapshot.config)]
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
    const old = { config: this.snapshot.config, fileDigests: this.fileDigests }
    const { snapshot, tls, fileDigests, warnings } = settings
    const changes = await changesBetween(old, { config: snapshot.config, fileDigests })
    this.fileDigests = fileDigests
    this.needRestart = waitingFields(this.started, snapshot.config)
    this.snapshot = Object.freeze({
      ...snapshot,
      // What the listener was opened with stays true until a restart.
      config: Object.freeze({
        ...snapshot.config,
        listen: listenInForce(old.config, snapshot.config),
      }),
    })
    // TLS is switched on or off by a restart only.
    const isTaken = this.material !== undefined && tls !== undefined
    const hasNewTls = isTaken && !isDeepStrictEqual(this.material, tls)
    if (isTaken) this.material = tls
    return { isApplied: true, changes, needRestart: this.needRestart, warnings, hasNewTls }
  }
}
