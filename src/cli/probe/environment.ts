/** Checks variables that would make the encoder connect in another way than the probe. */
import type { Io } from '../io.js'
import type { EncoderUrl } from './encoder-url.js'

/** @returns what is worth knowing, in words */
export function environmentNotes(env: Io['env'], endpoint: EncoderUrl): string[] {
  const notes: string[] = []
  const proxy = proxyVariable(env, endpoint)
  if (proxy !== undefined)
    notes.push(
      `${proxy} is set: axios would go through that proxy, which this probe does not; ` +
        `NO_PROXY=${endpoint.host} keeps the encoder off it`,
    )
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0' && endpoint.isTls)
    notes.push(
      'NODE_TLS_REJECT_UNAUTHORIZED=0 is set: the encoder would give its key to any server; ' +
        'this probe still checks the certificate',
    )
  const { USE_CLUSTER_FOR_PINS: use } = env
  if (use !== undefined && use !== 'true')
    notes.push('USE_CLUSTER_FOR_PINS is not exactly `true`: the encoder does not use the cluster')
  return notes
}

/** As axios's own dependency has it, proxy-from-env: lower case first. */
function proxyVariable(env: Io['env'], endpoint: EncoderUrl): string | undefined {
  if (isExempt(env, endpoint)) return undefined
  const scheme = endpoint.isTls ? 'https' : 'http'
  const names = [`npm_config_${scheme}_proxy`, `${scheme}_proxy`, 'npm_config_proxy', 'all_proxy']
  return names
    .flatMap((name) => [name, name.toUpperCase()])
    .find((name) => (env[name] ?? '') !== '')
}

function isExempt(env: Io['env'], { host, port }: EncoderUrl): boolean {
  const names = ['npm_config_no_proxy', 'NPM_CONFIG_NO_PROXY', 'no_proxy', 'NO_PROXY']
  const list = names.map((name) => env[name] ?? '').find((value) => value !== '') ?? ''
  return list
    .toLowerCase()
    .split(/[,\s]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      const [, name = entry, only] = /^(.+):(\d+)$/.exec(entry) ?? []
      if (only !== undefined && Number(only) !== port) return false
      if (name.startsWith('*')) return host.endsWith(name.slice(1))
      return name.startsWith('.') ? host.endsWith(name) : host === name
    })
}
