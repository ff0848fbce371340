/** Opens what several gates share, where the settings name it. */
import type { Snapshot } from '../settings/snapshot.js'
import { Store, type StoreParts } from '../store/store.js'

export async function openStore(
  { config, storeSecrets: secrets }: Snapshot,
  tell: StoreParts['tell'],
): Promise<Store | undefined> {
  const { redis } = config.store
  if (redis === undefined) return undefined
  return Store.open({ settings: { ...config.store, redis }, secrets, tell })
}
