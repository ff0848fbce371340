/** `pinwarden check`: says whether the daemon would start, and sums up its configuration. */
import { X509Certificate } from 'node:crypto'
import { startProblems, startWarnings } from '../../daemon/start-problems.js'
import { controlSocket, unitDirectory } from '../../daemon/systemd.js'
import { inLinesOf, loadSettings, type Settings } from '../../settings/load.js'
import { ConfigError, type Problem, problemText } from '../../settings/problems.js'
import { daysText } from '../../time/span-text.js'
import { defaultPath, type JsonCalled } from '../command-line.js'
import type { Io } from '../io.js'
import { warn } from '../report.js'
import { becomeDaemonUser } from './daemon-user.js'
import { ownDaemon } from './running-daemon.js'

export interface CheckOptions extends JsonCalled {
  /** Also asks the cluster, the fallback and the store. */
  readonly online: boolean
  /** User of the daemon; undefined: this user, or the package's. */
  readonly user: string | undefined
}

/** Directories that systemd creates for the package's unit. */
const madeByUnit = ['/var/lib/pinwarden', '/var/log/pinwarden', '/run/pinwarden']

/**
 * Returns 0 when `serve` would listen.
 * @throws ConfigError with every problem, unless the output is JSON
 */
export async function check(options: CheckOptions, io: Io): Promise<number> {
  const { configPath, json } = options
  const isPackaged = becomeDaemonUser(options.user, configPath === defaultPath)
  const found = await examined(options, isPackaged ? madeByUnit : [], io)
  if (json) {
    const { problems, warnings, rows = [] } = found
    const shown = problems.map((problem) => ({ ...problem, message: problemText(problem) }))
    const summary = Object.fromEntries(rows)
    const document = { ok: problems.length === 0, config: configPath, problems: shown, warnings }
    io.stdout.write(`${JSON.stringify({ ...document, summary }, null, 2)}\n`)
    return problems.length === 0 ? 0 : 1
  }
  for (const warning of found.warnings) warn(io, warning)
  if (found.problems.length > 0) throw new ConfigError(found.problems, found.hint)
  const lines = (found.rows ?? []).map(([name, value]) => `  ${name.padEnd(9)} ${value}\n`)
  io.stdout.write(`ok: ${configPath}\n${lines.join('')}`)
  return 0
}

interface Found {
  readonly problems: readonly Problem[]
  readonly hint?: string | undefined
  readonly warnings: readonly string[]
  readonly rows?: readonly Row[]
}

type Row = readonly [name: string, value: string]

async function examined(
  { configPath, online }: CheckOptions,
  createdAtStart: readonly string[],
  { env }: Io,
): Promise<Found> {
  let settings
  try {
    settings = await loadSettings(configPath, env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { problems: error.problems, hint: error.hint, warnings: [] }
  }
  const { config } = settings.snapshot
  // What the unit names, where it is the packages' one that will start the daemon.
  const [state, , runtime] = createdAtStart
  const socket = controlSocket(config, { RUNTIME_DIRECTORY: runtime, ...env })
  const stateDirectory = unitDirectory(env.STATE_DIRECTORY) ?? state
  const problems = await startProblems(config, {
    stateDirectory,
    controlSocket: socket,
    createdAtStart,
    isOwn: ownDaemon({ config, configPath, controlSocket: socket }),
  })
  const { answers, faults } = online ? await askOnline(settings) : { answers: [], faults: [] }
  return {
    problems: await inLinesOf(configPath, [...problems, ...faults]),
    warnings: [...settings.warnings, ...startWarnings(config, stateDirectory)],
    rows: [...summaryOf(settings, Date.now()), ...answers],
  }
}

async function askOnline(settings: Settings) {
  const { onlineAnswers } = await import('./online.js')
  return onlineAnswers(settings.snapshot)
}

function summaryOf({ snapshot, tls, overrides }: Settings, now: number): readonly Row[] {
  const { listen, cluster, encoders } = snapshot.config
  // Only `serve` gets the socket itself, and then checks it.
  const plain = listen.allowPlainHttp ? 'off' : "off: systemd's socket must also be on loopback"
  const all = Object.values(encoders)
  const keys = all.flatMap((encoder) => encoder.keys)
  const disabled = all.filter(({ enabled }) => !enabled).length
  const expired = keys.filter(
    ({ expires }) => expires !== undefined && Date.parse(expires) <= now,
  ).length
  const named = overrides.map(({ variable, field }) => `${variable} (${field})`)
  return [
    ['listen', `${listen.host} port ${listen.port}`],
    ['tls', tls === undefined ? plain : `${tls.minVersion} or newer, ${certificateText(tls, now)}`],
    ['cluster', cluster.endpoints.map(({ url }) => url).join(', ')],
    ['encoders', `${all.length}${disabled > 0 ? ` (${disabled} disabled)` : ''}`],
    ['keys', `${keys.length}${expired > 0 ? ` (${expired} expired)` : ''}`],
    ...(named.length > 0 ? [['set by', named.join(', ')] as const] : []),
  ]
}

function certificateText({ cert }: { readonly cert: string }, now: number): string {
  const { subjectAltName = '', validTo } = new X509Certificate(cert)
  const names = subjectAltName.replace(/(?:DNS|IP Address):/g, '')
  const end = new Date(validTo)
  const left = end.getTime() > now ? ` (${daysText(end.getTime() - now)})` : ''
  return `for ${names === '' ? 'no name' : names}, until ${end.toISOString().slice(0, 10)}${left}`
}
