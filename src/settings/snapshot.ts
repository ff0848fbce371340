/** The settings in force: what a request sees from its first phase to its last. */
import type { Keyring } from './keyring/keyring.js'
import type { Config } from './schema/schema.js'
import type { EndpointSecrets, StoreSecrets } from './files/secrets.js'

/** Config and keyring, immutable; a reload replaces both at once. */
export interface Snapshot {
  readonly config: Config
  readonly keyring: Keyring
  /** Read from files; by the index of the cluster endpoint. */
  readonly endpointSecrets: readonly EndpointSecrets[]
  readonly storeSecrets: StoreSecrets
}
