/** How long a certificate still lasts, and when that is worth a warning. */
import { X509Certificate } from 'node:crypto'
import { daysText } from '../../time/span-text.js'
import { dayMs, hourMs } from '../../time/units.js'

/** Of those that last for years. */
const soonMaxMs = 15 * dayMs

/**
 * Whoever renews does so when a third of the lifetime is left (30 days of 90, 2 of 6); half of that
 * later something went wrong.
 *
 * @param cert PEM; the first certificate in it
 */
export function expiryWarning(cert: string | Buffer, now: number): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert)
  const end = Date.parse(validTo)
  const leftMs = end - now
  if (leftMs <= 0) return 'listen.tls.certFile: the certificate has expired'
  if (leftMs > Math.min(soonMaxMs, (end - Date.parse(validFrom)) / 6)) return undefined
  const left = leftMs < dayMs ? `${Math.floor(leftMs / hourMs)} hours` : daysText(leftMs)
  return `listen.tls.certFile: the certificate expires in ${left}`
}
