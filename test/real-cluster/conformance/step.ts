/** One request to both clusters, and how their answers are compared. */

export interface Step {
  /** As in a test's title. */
  readonly title: string
  readonly method: string
  readonly bytes: string
  /** Lines come in any order. */
  readonly unordered?: boolean
  /** What a body says differs by nature: only its framing is compared. */
  readonly anyBody?: boolean
  /** Kubo may have begun with what was just put into the queue. */
  readonly racing?: boolean
}

/** Contents that are in Kubo. */
export interface Contents {
  readonly v0: string
  readonly v1: string
  readonly other: string
  readonly folder: string
  readonly file: string
  readonly fileName: string
}

type Extra = Partial<Pick<Step, 'unordered' | 'anyBody' | 'racing'>>

/** A request like those of clients; `body` gets its length. */
export function ask(line: string, headers: readonly string[] = [], extra: Extra = {}): Step {
  const lines = [`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', '']
  const title = [line.length > 300 ? `${line.slice(0, 60)}…` : line, ...headers].join(', ')
  return { title, method: line.split(' ')[0] ?? '', bytes: lines.join('\r\n'), ...extra }
}

export const raw = (title: string, bytes: string): Step => ({
  title,
  method: bytes.split(' ')[0] ?? '',
  bytes,
})

export const listing = (line: string): Step => ask(line, [], { unordered: true })
