/** The kinds of fields that the configuration's schema is made of, with their annotations. */
import Type, { type TProperties } from 'typebox'
import { hourMs } from '../../time/units.js'
import type { Annotations } from './field-schema.js'
import { nameExpects, namePattern } from './names.js'

type Restart = Pick<Annotations, 'restart'>

/** An object that rejects unknown fields; absent fields take their defaults. */
export const section = <P extends TProperties>(
  properties: P,
  description: string,
  options: Restart & { readonly deprecated?: true } = {},
) => Type.Object(properties, { additionalProperties: false, description, ...options })

/** A section that may be left out as a whole. */
export const optionalSection = <P extends TProperties>(
  properties: P,
  description: string,
  options: Restart = {},
) => Type.Object(properties, { additionalProperties: false, description, default: {}, ...options })

export const count = (
  fallback: number,
  minimum: number,
  maximum: number,
  description: string,
  options: Restart = {},
) => Type.Integer({ default: fallback, minimum, maximum, description, ...options })

export const timeMs = (fallback: number, description: string, minimum = 1000) =>
  count(fallback, minimum, hourMs, description)

/** A path, which no message shows, as a secret may have been pasted there. */
export const path = (
  kind: NonNullable<Annotations['path']>,
  description: string,
  options: Restart & Pick<Annotations, 'watch'> & { readonly default?: string } = {},
) =>
  Type.String({ ...options, minLength: 1, maxLength: 4096, path: kind, secret: true, description })

/** The path of a file that the gate reads with the settings. */
export const watchedFile = (description: string, options: Restart = {}) =>
  path('file', description, { ...options, watch: true })

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
    secret: true,
    description,
  })
