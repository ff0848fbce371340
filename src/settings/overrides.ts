/** Environment variables that override fields, for containers. */
import { editsBetween } from '../text/edits-between.js'
import { isRecord } from './schema/validate.js'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Override {
  readonly variable: string
  /** Such as `listen.port`. */
  readonly field: string
}

/** Variables with their fields; the URL is that of the first endpoint. */
const variables: Readonly<Record<string, readonly [...sections: string[], field: string]>> = {
  PINWARDEN_LISTEN_HOST: ['listen', 'host'],
  PINWARDEN_LISTEN_PORT: ['listen', 'port'],
  PINWARDEN_CLUSTER_URL: ['cluster', 'endpoints', 'url'],
  PINWARDEN_LOG_LEVEL: ['log', 'level'],
  PINWARDEN_ADMIN_HOST: ['admin', 'host'],
}

/**
 * Changes `value`: a variable that is set and not empty overrides its field.
 *
 * @param value of the file, not yet validated
 */
export function overridden(value: unknown, env: Environment): readonly Override[] {
  if (!isRecord(value)) return []
  return Object.entries(variables).flatMap(([variable, place]) => {
    const text = env[variable]
    if (text === undefined || text === '') return []
    // Converts numbers; the schema reports any other text.
    const wanted = variable.endsWith('_PORT') && /^\d{1,9}$/.test(text) ? Number(text) : text
    return put(value, place, wanted) ? [{ variable, field: fieldAt(place) }] : []
  })
}

/** Variables that are most likely meant to be one of these, and that the daemon does not read. */
export const misspelt = (env: Environment): readonly string[] =>
  Object.keys(env).flatMap((name) => {
    const isKnown = Object.hasOwn(variables, name) || name === 'PINWARDEN_CONFIG'
    const meant = Object.keys(variables).find((known) => editsBetween(known, name) <= 2)
    return isKnown || meant === undefined
      ? []
      : [`the daemon does not read the variable ${name}: did you mean ${meant}?`]
  })

const fieldAt = (place: readonly string[]): string =>
  place.join('.').replace('endpoints', 'endpoints[0]')

function put(value: Record<string, unknown>, place: readonly string[], wanted: unknown): boolean {
  const [name = '', ...rest] = place
  if (rest.length === 0) {
    value[name] = wanted
    return true
  }
  if (name === 'endpoints') {
    const [first = {}, ...others] = Array.isArray(value[name]) ? (value[name] as unknown[]) : []
    value[name] = [first, ...others]
    return isRecord(first) && put(first, rest, wanted)
  }
  const inner = (value[name] ??= {})
  return isRecord(inner) && put(inner, rest, wanted)
}
