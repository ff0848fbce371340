/** Metrics of the settings: whether the last reload succeeded, and when the certificate expires. */
import { Gauge } from '@prometheus-io/client'
import type { Registry } from '../metrics/registry.js'

export interface ReloadMetrics {
  /** Also counts the first load. */
  reloaded(isSuccessful: boolean): void
  /** @param at undefined for plain HTTP: the metric then has no value */
  certificateExpires(at: Date | undefined): void
}

export function registerReload(registry: Registry): ReloadMetrics {
  const registers = [registry]
  const successful = new Gauge({
    name: 'pinwarden_config_last_reload_successful',
    help: '1: the settings read last are in force; 0: they were refused.',
    registers,
  })
  const timestamp = new Gauge({
    name: 'pinwarden_config_last_reload_success_timestamp_seconds',
    help: 'When settings last took effect.',
    registers,
  })
  const expiry = new Gauge({
    name: 'pinwarden_certificate_expiry_timestamp_seconds',
    help: 'When the certificate of the public port expires.',
    registers,
  })
  // A zero would mean a certificate, or settings, of 1970.
  timestamp.remove()
  expiry.remove()
  return {
    reloaded: (isSuccessful) => {
      successful.set(isSuccessful ? 1 : 0)
      if (isSuccessful) timestamp.set(Date.now() / 1000)
    },
    certificateExpires: (at) => {
      if (at === undefined) expiry.remove()
      else expiry.set(at.getTime() / 1000)
    },
  }
}
