/** Warnings about a certificate: its dates, and whether its chain is whole. */
import { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { daysText } from '../../time/span-text.js'
import { dayMs, hourMs } from '../../time/units.js'

/** For certificates that last for years. */
const soonMaxMs = 15 * dayMs

/** @param chain PEM; the gate shows its first certificate to clients */
export function certificateWarnings(chain: readonly X509Certificate[], now: number): string[] {
  const [own] = chain
  if (own === undefined) return []
  const warnings = [
    expiryWarning(own, now),
    Date.parse(own.validFrom) > now
      ? `the certificate is not valid before ${new Date(own.validFrom).toISOString()}`
      : undefined,
    isChainWhole(chain)
      ? undefined
      : 'the certificates that signed it are missing, so most clients refuse it: name the file ' +
        'with the whole chain, such as fullchain.pem',
  ]
  return warnings
    .filter((warning) => warning !== undefined)
    .map((warning) => `listen.tls.certFile: ${warning}`)
}

/** Whether the chain leads to a root that Node knows, or to a self-signed certificate. */
function isChainWhole(chain: readonly X509Certificate[]): boolean {
  const last = chain.at(-1)
  if (last === undefined || last.checkIssued(last)) return true
  // Clients have the root of a private authority: only a lone certificate may lack others.
  if (chain.length > 1) return true
  return rootCertificates.some((root) => last.checkIssued(new X509Certificate(root)))
}

/**
 * ACME clients renew when a third of the lifetime is left (30 days of 90, 2 of 6). Once half of
 * that time has passed, a renewal has failed.
 */
export function expiryWarning(
  { validFrom, validTo }: X509Certificate,
  now: number,
): string | undefined {
  const end = Date.parse(validTo)
  const leftMs = end - now
  if (leftMs <= 0)
    return `the certificate has expired on ${new Date(end).toISOString().slice(0, 10)}`
  if (leftMs > Math.min(soonMaxMs, (end - Date.parse(validFrom)) / 6)) return undefined
  const left = leftMs < dayMs ? `${Math.floor(leftMs / hourMs)} hours` : daysText(leftMs)
  return `the certificate expires in ${left}`
}
