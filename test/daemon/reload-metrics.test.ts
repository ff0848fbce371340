/** The instruments of the settings in force. */
import t from 'tap'
import { registerReload } from '../../src/daemon/reload-metrics.js'
import { openRegistry } from '../../src/metrics/registry.js'
import { has, valueOf } from '../support/exposition.js'

t.test('a reload that fails leaves the time of the last good one', async (t) => {
  const registry = openRegistry('test')
  const metrics = registerReload(registry)
  const successful = 'pinwarden_config_last_reload_successful'
  const timestamp = 'pinwarden_config_last_reload_success_timestamp_seconds'
  await has(t, registry, { [successful]: 0, [timestamp]: undefined })
  metrics.reloaded(true)
  const at = await valueOf(registry, timestamp)
  t.ok(at !== undefined && Math.abs(at - Date.now() / 1000) < 60)
  metrics.reloaded(false)
  await has(t, registry, { [successful]: 0, [timestamp]: at })
})

t.test('the expiry of the certificate is there only while there is one', async (t) => {
  const registry = openRegistry('test')
  const metrics = registerReload(registry)
  const expiry = 'pinwarden_certificate_expiry_timestamp_seconds'
  await has(t, registry, { [expiry]: undefined })
  metrics.certificateExpires(new Date('2030-01-01T00:00:00Z'))
  await has(t, registry, { [expiry]: 1_893_456_000 })
  metrics.certificateExpires(undefined)
  await has(t, registry, { [expiry]: undefined })
})
