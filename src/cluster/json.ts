/** Reads JSON of the cluster's at the edge: behind it nothing is taken for what it may not be. */
import { ClusterFault } from './faults.js'

/** What an object has; any other value has nothing. */
export type Fields = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @throws ClusterFault when it is no JSON, or no object */
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

/** An answer that the cluster's handlers never give; what is wrong with it is for the log. */
export const badAnswer = (what: string): ClusterFault =>
  new ClusterFault('cluster-bad-answer', new Error(what))
