/** Parses and checks JSON of the cluster at the edge. */
import { ClusterFault } from './faults.js'

/** The fields of an object; any other value has none. */
export type Fields = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @throws ClusterFault when it is not JSON, or not an object */
export function readObject(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ClusterFault('cluster-bad-answer', error)
  }
  if (isObject(value)) return value
  throw badAnswer('no JSON object')
}

/** An answer that the cluster's handlers never give; the cause is for the log. */
export const badAnswer = (what: string): ClusterFault =>
  new ClusterFault('cluster-bad-answer', new Error(what))
