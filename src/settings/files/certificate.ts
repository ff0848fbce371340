/** What about a certificate is worth a warning: its dates, and whether its chain is whole. */
import { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { daysText } from '../../time/span-text.js'
import { dayMs, hourMs } from '../../time/units.js'

/** Of those that last for years. */
const soonMaxMs = 15 * dayMs

/** @param chain PEM; the first certificate in it is the one that is shown to clients */
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

/** From the first to one that clients have: of an authority that Node knows, or its own issuer. */
function isChainWhole(chain: readonly X509Certificate[]): boolean {
  const last = chain.at(-1)
  if (last === undefined || last.checkIssued(last)) return true
  // Of a private authority, clients have the root: only one alone may lack what is between.
  if (chain.length > 1) return true
  return rootCertificates.some((root) => last.checkIssued(new X509Certificate(root)))
}

/**
 * Clients of an authority renew when a third of the lifetime is left (30 days of 90, 2 of 6); half
 * of that later something went wrong.
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
