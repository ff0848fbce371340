/** The part of the configuration's schema for encoders, and what each may do. */
import Type from 'typebox'
import { name, network, section, timestamp } from './fields.js'
import { encodersMax, keysMax, nameExpects, namePattern } from './names.js'
import { leaseIdPattern } from '../values/lease-id.js'
import { enforcements, optionGrants, permissions } from '../values/permissions.js'

const permission = Type.Enum([...permissions])

/** The same fields as a budget, each optional, so that an encoder overrides only what it names. */
const budgetOverride = (description: string) =>
  Type.Optional(
    Type.Object(
      {
        max: Type.Optional(
          Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'Requests in one window.' }),
        ),
        windowSeconds: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: 3600,
            description: 'Length of the window, in seconds.',
          }),
        ),
      },
      { additionalProperties: false, description },
    ),
  )

const key = section(
  {
    id: Type.String({
      pattern: '^[A-Za-z0-9_-]{1,32}$',
      expects: '1 to 32 of A-Z a-z 0-9 _ -',
      description: 'Names the key in logs and commands; unique within its encoder.',
    }),
    sha256: Type.String({
      pattern: '^[0-9a-f]{64}$',
      expects: 'the SHA-256 of the key: 64 hex digits in lower case',
      secret: true,
      description: 'SHA-256 of the key, in hex. The key itself is stored nowhere.',
    }),
    created: Type.Optional(timestamp('When the key was created (UTC).')),
    expires: Type.Optional(timestamp('When the key expires (UTC).')),
    note: Type.Optional(
      Type.String({ maxLength: 256, description: 'Free text, for the operator.' }),
    ),
  },
  'One secret of an encoder.',
)

const encoder = section(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'false refuses every key of the encoder.',
    }),
    role: name({
      default: 'pinner',
      description: 'reader, pinner, operator, or a role of this file.',
    }),
    allow: Type.Array(permission, {
      default: [],
      uniqueItems: true,
      description: 'Permissions in addition to those of the role.',
    }),
    deny: Type.Array(permission, {
      default: [],
      uniqueItems: true,
      description: 'Permissions of the role that the encoder does not have.',
    }),
    options: Type.Array(Type.Enum([...optionGrants]), {
      default: [],
      uniqueItems: true,
      description: 'Pin options granted beyond name, expiry and metadata.',
    }),
    enforcement: Type.Optional(
      Type.Enum([...enforcements], { description: 'Override of `enforcement`.' }),
    ),
    leaseId: Type.Optional(
      Type.String({
        pattern: leaseIdPattern,
        expects: '12 of 0-9 a-z',
        description:
          "Id of the encoder's leases, generated with it. Absent: derived from its name.",
      }),
    ),
    retentionDays: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 36_500,
        description: "Longest lifetime of its leases, in place of its role's `retentionDays`.",
      }),
    ),
    from: Type.Array(network, {
      default: [],
      maxItems: 256,
      description: 'Addresses or CIDRs from which the encoder may connect; empty: any.',
    }),
    keys: Type.Array(key, {
      default: [],
      maxItems: keysMax,
      description: 'Live keys; with several, a key can be rotated without downtime.',
    }),
    limits: Type.Optional(
      Type.Object(
        {
          reads: budgetOverride('Overrides of `limits.reads`.'),
          listings: budgetOverride('Overrides of `limits.listings`.'),
          writes: budgetOverride('Overrides of `limits.writes`.'),
          inFlight: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 10_000,
              description: 'Override of `limits.inFlight`.',
            }),
          ),
          leases: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 100_000_000,
              description: 'Override of `limits.leases`.',
            }),
          ),
          unfinished: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 100_000_000,
              description: 'Override of `limits.unfinished`.',
            }),
          ),
        },
        {
          additionalProperties: false,
          description: 'Overrides of `limits`, with the same fields.',
        },
      ),
    ),
  },
  'A caller with a name and keys.',
)

export const roles = Type.Record(
  Type.String({ pattern: namePattern }),
  Type.Array(permission, { uniqueItems: true, description: 'The permissions of one role.' }),
  {
    default: {},
    additionalProperties: false,
    maxProperties: 1000,
    expects: nameExpects,
    restart: false,
    description: 'Named sets of permissions, in addition to reader, pinner and operator.',
  },
)

export const retentionDays = Type.Record(
  Type.String({ pattern: namePattern }),
  Type.Integer({ minimum: 1, maximum: 36_500, description: 'Days.' }),
  {
    default: {},
    additionalProperties: false,
    maxProperties: 1000,
    expects: nameExpects,
    restart: false,
    description: "Role → longest lifetime of its encoders' leases, in days. Absent: unlimited.",
  },
)

export const encoders = Type.Record(Type.String({ pattern: namePattern }), encoder, {
  default: {},
  additionalProperties: false,
  maxProperties: encodersMax,
  expects: nameExpects,
  restart: false,
  description: 'Name of the encoder → its permissions, limits and keys.',
})
