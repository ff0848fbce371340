/** Bounds how much memory garbage takes, in all threads. */
import { setFlagsFromString } from 'node:v8'

/** Of the memory in use. */
const garbagePercent = 50

/**
 * By itself V8 lets a small heap grow fourfold where memory is plenty, and keeps the pages for
 * good.
 */
export function limitGarbage(): void {
  setFlagsFromString(`--heap-growing-percent=${garbagePercent}`)
}
