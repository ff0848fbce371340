/**
 * The kinds of fields that the configuration's schema is made of.
 *
 * Three annotations are ours: `expects` says in words what a pattern or a format wants, `sensitive`
 * that no message may show what stands there, `shorthand` is a word for the empty section. They and
 * all formats but date-time are known to validate.ts only; the published schema goes without.
 */
import Type, { type TProperties } from 'typebox'
import { nameExpects, namePattern } from './names.js'

const hourMs = 3_600_000

/** An object that rejects unknown fields; what is absent takes the defaults of its fields. */
export const section = <P extends TProperties>(properties: P, description: string) =>
  Type.Object(properties, { additionalProperties: false, description })

/** A section that may be left out as a whole. */
export const optionalSection = <P extends TProperties>(properties: P, description: string) =>
  Type.Object(properties, { additionalProperties: false, description, default: {} })

export const count = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: fallback, minimum, maximum, description })

export const timeMs = (fallback: number, description: string, minimum = 1000) =>
  count(fallback, minimum, hourMs, description)

/** A file to read a secret from, or to write to; relative to the configuration's directory. */
export const file = (description: string) =>
  Type.String({ minLength: 1, maxLength: 4096, sensitive: true, description })

export const timestamp = (description: string) =>
  Type.String({
    pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?Z$',
    format: 'date-time',
    expects: 'a time in UTC such as 2026-12-31T00:00:00Z',
    description,
  })

export const name = (options: { readonly default: string; readonly description: string }) =>
  Type.String({ pattern: namePattern, expects: nameExpects, ...options })

export const network = Type.String({
  minLength: 2,
  maxLength: 49,
  format: 'network',
  expects: 'an address or a CIDR such as 192.0.2.7, 10.0.0.0/8, 2001:db8::/32',
})

export const host = (options: { readonly default: string; readonly description: string }) =>
  Type.String({
    minLength: 1,
    maxLength: 255,
    format: 'host',
    expects: 'an address or a host name, without port and brackets',
    ...options,
  })

export const baseUrl = (description: string) =>
  Type.String({
    pattern: '^https?://[^/?#@\\s]+/?$',
    maxLength: 512,
    format: 'base-url',
    expects: 'http:// or https://, host and port, without path or credentials',
    sensitive: true,
    description,
  })
