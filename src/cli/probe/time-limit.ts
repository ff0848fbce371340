/** Time limits for calls without one, and the codes of errors. */

/** @throws an error of the code ETIMEDOUT when the time is over first */
export async function within<Value>(ms: number, work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error(`nothing within ${ms} ms`), { code: 'ETIMEDOUT' }))
    }, ms)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** The error code of the system, OpenSSL or Node. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.message
}
