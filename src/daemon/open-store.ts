/** Opens what several gates share, where the settings name it. */
import type { Snapshot } from '../settings/snapshot.js'
import { Store } from '../store/store.js'
import type { Logger } from '../log/logger.js'

export async function openStore(
  { config, storeSecrets: secrets }: Snapshot,
  log: Logger,
): Promise<Store | undefined> {
  const { redis } = config.store
  if (redis === undefined) return undefined
  return Store.open({ settings: { ...config.store, redis }, secrets, log })
}
