/** Takes request targets apart as Go's net/url does, escapes and their faults included. */
import { isUtf8 } from 'node:buffer'

/** Parameters of a query; of a repeated name the first value counts. */
export class Query {
  readonly #values = new Map<string, Buffer>()

  constructor(text: string) {
    for (const pair of text.split('&')) {
      if (pair === '' || pair.includes(';')) continue
      const equals = pair.indexOf('=')
      const name = unescape(equals < 0 ? pair : pair.slice(0, equals), true)
      const value = unescape(equals < 0 ? '' : pair.slice(equals + 1), true)
      if (name === undefined || value === undefined) continue
      const key = name.toString()
      if (!this.#values.has(key)) this.#values.set(key, value)
    }
  }

  /** Empty when absent. */
  get(name: string): string {
    return this.#values.get(name)?.toString() ?? ''
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  names(): Iterable<string> {
    return this.#values.keys()
  }

  isUtf8(name: string): boolean {
    return isUtf8(this.#values.get(name) ?? Buffer.alloc(0))
  }
}

export interface Target {
  /** Scheme and host, of a target that has them. */
  readonly origin: string
  /** Percent-decoded. */
  readonly path: string
  readonly query: Query
  /** With its question mark, also where nothing follows it. */
  readonly search: string
}

/** Undefined where Go itself would answer 400. */
export function parseTarget(target: string): Target | undefined {
  const [, origin = '', local = target] = /^(https?:\/\/[^/?]*)(.*)$/i.exec(target) ?? []
  if (local !== '*' && local !== '' && !/^[/?]/.test(local)) return undefined
  const mark = local.indexOf('?')
  const search = mark < 0 ? '' : local.slice(mark)
  const path = unescape(mark < 0 ? local : local.slice(0, mark), false)
  return path && { origin, path: path.toString(), query: new Query(search.slice(1)), search }
}

/** As Go's URL.EscapedPath prints a path that it has changed. */
export const escapePath = (path: string): string =>
  encodeURIComponent(path)
    .replace(/%(2F|24|26|2B|2C|3A|3B|3D|40)/g, decodeURIComponent)
    .replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)

function unescape(text: string, plusIsSpace: boolean): Buffer | undefined {
  const bytes = Buffer.from(plusIsSpace ? text.replaceAll('+', ' ') : text, 'latin1')
  const decoded: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte !== 0x25) {
      decoded.push(byte)
      continue
    }
    const digits = bytes.toString('latin1', at + 1, at + 3)
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) return undefined
    decoded.push(Number.parseInt(digits, 16))
    at += 2
  }
  return Buffer.from(decoded)
}
