/** The part of the configuration's schema for the store that several gates share. */
import Type from 'typebox'
import { count, watchedFile } from './fields.js'
import { memory } from './names.js'

export const store = Type.Object(
  {
    redis: Type.Optional(
      Type.String({
        pattern: '^rediss?://[^/?#@\\s]+(/\\d{1,4})?$',
        maxLength: 512,
        expects: 'redis:// or rediss:// (TLS), host and port, perhaps /number, no credentials',
        secret: true,
        description: 'URL of the Valkey or Redis that several gates share; absent: memory.',
      }),
    ),
    username: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        secret: true,
        description: 'User name, if the store has several users.',
      }),
    ),
    passwordFile: Type.Optional(watchedFile('File that holds the password.')),
    caFile: Type.Optional(
      watchedFile(
        'PEM file with the CA certificates to trust for it, in place of those that Node trusts.',
      ),
    ),
    namespace: Type.String({
      default: 'pinwarden',
      pattern: '^[a-z0-9][a-z0-9._-]{0,62}$',
      expects: 'a name of 1 to 63 of a-z 0-9 . _ - that begins with a letter or a digit',
      description: 'Prefix of keys in the store; the same for all gates of one cluster.',
    }),
    timeoutMs: count(50, 5, 5000, 'Longest time that a request waits for the store.'),
    failMode: Type.Enum(['open', 'closed'], {
      default: 'open',
      description:
        'While the store is down: use limits and locks of this gate alone (open), or refuse ' +
        'with 503 (closed).',
    }),
  },
  {
    additionalProperties: false,
    default: {},
    restart: true,
    shorthand: memory,
    description:
      'What several gates of one cluster share: budgets, failed attempts, locks of pins, last ' +
      'use of keys. "memory": share nothing.',
  },
)
