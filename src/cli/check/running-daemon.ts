/** Tells whether the running daemon uses a given settings file. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { get, type IncomingMessage, type RequestOptions } from 'node:http'
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { portHolders } from '../../daemon/port-holder.js'
import type { Held } from '../../daemon/start-problems.js'
import type { Config } from '../../settings/schema/schema.js'
import { adminOf, boundedText, isOwn, optionsOf } from '../ask-admin.js'
import { defaultPath } from '../command-line.js'

export interface Expected {
  /** The settings that are checked, and their file. */
  readonly config: Config
  readonly configPath: string
  readonly controlSocket: string | undefined
}

/** What the daemon says of itself; undefined: none answers, or another program. */
type Reported = { readonly file?: string; readonly url?: string | null } | undefined

const waitMs = 1000

/**
 * Whether what is held is held by the daemon of these settings. Nothing is asked that needs a
 * credential, and the public port, which does not tell whose it is, is not asked.
 */
export function ownDaemon(expected: Expected): (held: Held) => Promise<boolean> {
  const { config, configPath, controlSocket } = expected
  const admin = adminOf(config)
  const atControl = onlyOnce(() => settingsOf(controlSocket, '/settings'))
  const atAdmin = onlyOnce(() => settingsOf(admin, '/status'))
  const isIts = (file?: string) => file !== undefined && placeOf(file) === placeOf(configPath)
  const holds = async (where: string | undefined, path: string) =>
    isIts((await settingsOf(where, path))?.file)
  return async (held) => {
    if ('socket' in held)
      return (await holds(held.socket, '/settings')) || holds(held.socket, '/status')
    const own = [await atControl(), await atAdmin()].filter((it) => isIts(it?.file))
    if (held.kind === 'ledger') return own.length > 0
    const { port } = held
    return (
      (port === config.admin?.port && isIts((await atAdmin())?.file)) ||
      own.some((it) => it?.url && Number(new URL(it.url).port) === port) ||
      portHolders(port).some(
        ({ program, settingsFile }) =>
          program === 'pinwarden' && isIts(settingsFile ?? defaultPath),
      ) ||
      (held.kind === 'public' && isIts(defaultPath) && isOfUnit(port))
    )
  }
}

/** Whether systemd listens for the packages' unit, which may be stopped meanwhile. */
function isOfUnit(port: number): boolean {
  const args = ['show', 'pinwarden.socket', '--property=ActiveState,Listen']
  const { error, stdout } = spawnSync('systemctl', args, { encoding: 'utf8', timeout: waitMs })
  if (error !== undefined) return false
  return stdout.includes('ActiveState=active') && stdout.includes(`:${port} (Stream)`)
}

/** Where it is, whatever links lead to it. */
function placeOf(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return resolve(file)
  }
}

function onlyOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => (asked ??= ask())
}

async function settingsOf(where: string | undefined, path: string): Promise<Reported> {
  if (where === undefined) return undefined
  const signal = AbortSignal.timeout(waitMs)
  const options: RequestOptions = { ...optionsOf(where, path), agent: false, signal }
  try {
    const [response] = (await once(get(options), 'response')) as [IncomingMessage]
    if (!isOwn(response)) return undefined
    const answer = JSON.parse(await boundedText(response, textMax)) as {
      readonly settings?: Reported
    } & NonNullable<Reported>
    return { url: answer.url ?? null, ...(answer.settings ?? answer) }
  } catch {
    return undefined
  }
}

const textMax = 1024 * 1024
