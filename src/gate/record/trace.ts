/** W3C Trace Context: continues the client's trace, or begins one (w3.org/TR/trace-context). */

export interface Trace {
  /** 32 hex digits: the same at client, gate and cluster. */
  readonly id: string
  /** The header for the cluster: the trace, with this request as the parent. */
  readonly traceparent: string
}

const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const zeros = /^0+$/

/**
 * An unknown version or a malformed header begins a new trace, as the recommendation says.
 * @param requestId a random UUID, whose digits serve as ids
 */
export function traceOf(header: string | undefined, requestId: string): Trace {
  const digits = requestId.replaceAll('-', '')
  const span = digits.slice(16)
  const begun = { id: digits, traceparent: `00-${digits}-${span}-00` }
  if (header === undefined) return begun
  const [, id = '', parent = '', flags = '00'] = form.exec(header) ?? []
  const isTakenOver = id !== '' && !zeros.test(id) && !zeros.test(parent)
  return isTakenOver ? { id, traceparent: `00-${id}-${span}-${flags}` } : begun
}
