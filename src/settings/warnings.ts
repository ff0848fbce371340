/** Warnings: what a configuration may have, but is likely a mistake or worth knowing. */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { isLoopback, isLoopbackUrl } from './values/network.js'
import { inSlices, type SlicedWork } from '../time/slices.js'
import type { Config, EncoderConfig } from './schema/schema.js'

/** @param cert of the public port, in PEM */
export function* warningsOf(
  config: Config,
  now: number,
  cert?: string,
): SlicedWork<readonly string[]> {
  return [
    ...wayWarnings(config),
    ...publicUrlWarnings(config.listen, cert),
    ...ledgerWarnings(config),
    ...(yield* encoderWarnings(config, now)),
  ]
}

/** Behind a proxy that ends TLS, scheme and names are the proxy's. */
function publicUrlWarnings(listen: Config['listen'], cert: string | undefined): string[] {
  const { publicUrl, tls, trustProxy, allowPlainHttp } = listen
  if (publicUrl === undefined) return []
  const { protocol, hostname } = new URL(publicUrl)
  const isHttps = protocol === 'https:'
  if (tls !== undefined && !isHttps)
    return ['listen.publicUrl: it says http, and the gate speaks TLS: write https']
  if (tls === undefined && isHttps && trustProxy.length === 0 && !allowPlainHttp)
    return [
      'listen.publicUrl: it says https, and the gate speaks plain HTTP: is listen.tls missing?',
    ]
  if (cert === undefined || !isHttps) return []
  const host = hostname.replace(/^\[|\]$/g, '')
  const certificate = new X509Certificate(cert)
  const isNamed = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)
  if (isNamed !== undefined) return []
  return [`listen.publicUrl: the certificate is not for ${host}: clients will refuse it`]
}

function wayWarnings({ listen, cluster }: Config): string[] {
  const warnings: string[] = []
  if (listen.tls === undefined && !isLoopback(listen.host))
    warnings.push('listen.allowPlainHttp: keys, CIDs and answers are sent unencrypted')
  const isInClear = ({ url, socket }: Config['cluster']['endpoints'][number]) =>
    url.startsWith('http:') && socket === undefined && !isLoopbackUrl(url)
  if (cluster.endpoints.some(isInClear))
    warnings.push('cluster.endpoints: traffic between gate and cluster is unencrypted')
  return warnings
}

function ledgerWarnings({ ledger, lookBack }: Config): string[] {
  if (lookBack === undefined) return []
  return ledger === undefined
    ? ['lookBack: its name is ledger now; the next release does not know the older one']
    : ['lookBack: ledger is also set, so this has no effect; remove it']
}

function* encoderWarnings(config: Config, now: number): SlicedWork<string[]> {
  const encoders = Object.entries(config.encoders)
  if (encoders.length === 0) return ['no encoders: every request will be refused']
  const isLive = ({ expires }: EncoderConfig['keys'][number]) =>
    expires === undefined || Date.parse(expires) > now
  const keyless: string[] = []
  const expired: string[] = []
  const haveExamples = yield* inSlices(encoders, ([name, { enabled, keys }]) => {
    if (enabled && !keys.some(isLive)) (keys.length === 0 ? keyless : expired).push(name)
    return keys.some(({ sha256 }) => isExample(sha256))
  })
  return [
    ...(keyless.length > 0 ? [`encoders without a key: ${namesOf(keyless)}`] : []),
    ...(expired.length > 0 ? [`encoders with expired keys only: ${namesOf(expired)}`] : []),
    ...(haveExamples.includes(true)
      ? ['encoders: a digest of the example configuration is left; it fits no key']
      : []),
  ]
}

/** The first few names, as there may be thousands. */
function namesOf(all: readonly string[]): string {
  const names = all.slice(0, 10)
  const left = all.length - names.length
  return names.join(', ') + (left > 0 ? ` and ${left} more` : '')
}

/** A run of one digit is not a hash. */
function isExample(sha256: string): boolean {
  return /^(.)\1*$/.test(sha256)
}
