/**
 * Messages between gates of one cluster, apart from locks: each round is one atomic step in Redis.
 */
import type { Exchanged, GateMail } from '../ledger/gate-mail.js'
import type { Store } from './store.js'

/**
 * Keys: the secret, the peers of the namespace's cluster, the states of all gates, the mail for
 * this gate, and for each other one. ARGV: the gate's id, its state, the mails, and the peers of
 * this gate's cluster. Another cluster may have taken a namespace that the store lost.
 */
export const exchangeScript = `
local secret = redis.call('GET', KEYS[1])
local isOwn = false
for i = #KEYS - 1, #ARGV do
  isOwn = isOwn or redis.call('SISMEMBER', KEYS[2], ARGV[i]) == 1
end
if not secret or not isOwn then return {} end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
for i = 5, #KEYS do redis.call('HSET', KEYS[i], ARGV[1], ARGV[i - 2]) end
return {secret, redis.call('HGETALL', KEYS[3]), redis.call('HGETALL', KEYS[4])}
`

/** ARGV: ids of gates that are gone. Keys: the states, then the mail for each of these. */
export const dropScript = `
redis.call('HDEL', KEYS[1], unpack(ARGV))
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
`

type Taken = [secret?: string, states?: readonly string[], mails?: readonly string[]]

export class SharedMail implements GateMail {
  constructor(
    private readonly store: Store,
    private readonly gateId: string,
  ) {}

  async exchange(
    state: string,
    mails: ReadonlyMap<string, string>,
  ): Promise<Exchanged | undefined> {
    const { store, gateId } = this
    const keys = [store.secretKey, store.clusterKey, this.key(), this.key(gateId)]
    const all = [...keys, ...[...mails.keys()].map((to) => this.key(to))]
    const taken = await store.ask(
      () =>
        store.redis.eval(
          exchangeScript,
          ...[all.length, ...all, gateId, state, ...mails.values(), ...store.ownPeers],
        ) as Promise<Taken>,
    )
    const [generation, states = [], found = []] = taken ?? []
    if (taken !== undefined && generation === undefined) await store.learn()
    if (generation === undefined) return undefined
    return { generation, states: pairs(states), mails: pairs(found) }
  }

  async drop(gateIds: readonly string[]): Promise<void> {
    const { store } = this
    const keys = [this.key(), ...gateIds.map((id) => this.key(id))]
    await store.ask(() => store.redis.eval(dropScript, keys.length, ...keys, ...gateIds))
  }

  private key(...of: readonly string[]): string {
    return this.store.key('{gates}', ...of)
  }
}

/** A hash as Redis lists it. */
function pairs(fields: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>()
  for (let at = 0; at + 1 < fields.length; at += 2) map.set(fields[at] ?? '', fields[at + 1] ?? '')
  return map
}
