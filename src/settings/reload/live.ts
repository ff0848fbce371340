/** The current settings: a reload replaces all of them, or none if the new ones are invalid. */
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
      /** Whether certificate, key or minimum version of TLS changed. */
      readonly hasNewTls: boolean
    }
  | { readonly isApplied: false; readonly problems: readonly Problem[] }

export interface SettingsState {
  /** The configuration file; absent: none. */
  readonly file?: string
  /** When the settings in force were read. */
  readonly since: Date
  /** Whether the last reload was refused. */
  readonly isLastRefused: boolean
  /** Fields whose newest value waits for a restart. */
  readonly needRestart: readonly string[]
}

/** The settings of the start, and those of later reloads. */
export interface SettingsInForce {
  /** A request takes a snapshot once and keeps it. */
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
  /** Settings of the start, some of which stay in force until a restart. */
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

  /** Files whose change causes a reload; later settings may name others. */
  get files(): readonly string[] {
    return [this.path, ...watchedFiles(this.snapshot.config)]
  }

  /** Reads everything again, one reload at a time; if there are problems, the old settings stay. */
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
      settings = await loadSettings(this.path, process.env, { serves: true })
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
      // The listener keeps these until a restart.
      config: Object.freeze({
        ...snapshot.config,
        listen: listenInForce(old.config, snapshot.config),
      }),
    })
    // Only a restart switches TLS on or off.
    const isTaken = this.material !== undefined && tls !== undefined
    const hasNewTls = isTaken && !isDeepStrictEqual(this.material, tls)
    if (isTaken) this.material = tls
    return { isApplied: true, changes, needRestart: this.needRestart, warnings, hasNewTls }
  }
}
