/** Permissions of encoders, roles as named sets of them, and options. */

/**
 * Each permission is one operation of the gate's route table (see gate/routes.ts), but for
 * `unpin-any`, which widens `unpin` to what others hold.
 */
export const permissions = [
  'id',
  'status',
  'list',
  'pin',
  'unpin',
  'unpin-any',
  'recover',
  'recover-all',
  'resolve',
] as const
export type Permission = (typeof permissions)[number]

interface Permitted {
  readonly permissions: ReadonlySet<Permission>
}

/** Permissions that are checked beyond the route table: for replays, and for others' pins. */
export const mayPin = ({ permissions }: Permitted): boolean => permissions.has('pin')
export const mayUnpinAny = ({ permissions }: Permitted): boolean => permissions.has('unpin-any')

/** Permissions that change one pin, which metrics count separately. */
export const changeOf: Readonly<Partial<Record<Permission, 'pin' | 'unpin'>>> = {
  pin: 'pin',
  unpin: 'unpin',
}

/**
 * Roles every configuration has; the file may add others. `recover-all` walks the whole pinset
 * and `resolve` makes Kubo look up names of the caller's choosing, so only `operator` has them.
 */
export const builtInRoles = {
  reader: ['id', 'status', 'list'],
  pinner: ['id', 'status', 'list', 'pin', 'unpin', 'recover'],
  operator: permissions,
} as const satisfies Record<string, readonly Permission[]>

/**
 * Pin options that reach beyond the encoder's own pin, so each must be granted by name:
 * `origins` makes Kubo dial addresses of the caller's choosing, `user-allocations` and
 * `replication` move load between peers, `pin-update` copies another encoder's record.
 */
export const optionGrants = ['origins', 'user-allocations', 'pin-update', 'replication'] as const
export type OptionGrant = (typeof optionGrants)[number]

/** What the gate does with a request against the rules of ownership, quotas or options. */
export const enforcements = ['off', 'observe', 'enforce'] as const
export type Enforcement = (typeof enforcements)[number]

/** Requests are counted against one of three budgets, by what they cost the cluster. */
export const budgets = ['reads', 'listings', 'writes'] as const
export type Budget = (typeof budgets)[number]
