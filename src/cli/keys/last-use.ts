/** Last uses of keys, which the running daemon knows and the file does not. */
import type { LastUse } from '../../admin/key-use.js'
import type { Config } from '../../settings/schema/schema.js'
import { adminOf, askAdmin } from '../ask-admin.js'

export interface LastUses {
  /**
   * The start of the daemon, which knows no use before. Undefined: the daemon could not be asked.
   */
  readonly since: string | undefined
  /** Why the daemon could not be asked. */
  readonly doubt: string | undefined
  of(encoder: string, id: string): string | null
}

export async function lastUses(config: Config): Promise<LastUses> {
  const where = adminOf(config)
  if (where === undefined)
    return unknown('only the daemon knows the last use: add an admin section to the file to see it')
  try {
    const { since, keys } = (await askAdmin(where, '/keys')) as {
      readonly since: string
      readonly keys: readonly LastUse[]
    }
    const times = new Map(keys.map(({ encoder, id, lastUsed }) => [`${encoder}/${id}`, lastUsed]))
    const of = (encoder: string, id: string) => times.get(`${encoder}/${id}`) ?? null
    return { since, doubt: undefined, of }
  } catch (error) {
    return unknown(`last use is unknown: ${error instanceof Error ? error.message : ''}`)
  }
}

const unknown = (doubt: string): LastUses => ({ since: undefined, doubt, of: () => null })

/** Cell of a table: `-` is never, as far as the daemon knows; `?` is unknown. */
export const lastUseText = ({ since }: LastUses, lastUsed: string | null): string =>
  since === undefined ? '?' : (lastUsed?.replace(/\.\d+Z$/, 'Z') ?? '-')

/** Written to stderr below a table. */
export const lastUseHint = ({ since, doubt }: LastUses): string | undefined =>
  since === undefined ? doubt : `last use is counted since the daemon's start, ${since}`
