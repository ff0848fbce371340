/** Every field of the configuration, each with another value that it may have, and a file to try. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { compiledSchema } from '../../src/settings/schema/compiled-schema.js'
import { LiveSettings } from '../../src/settings/reload/live.js'
import type { FieldSchema } from '../../src/settings/schema/field-schema.js'
import { certificate } from './certificate.js'

type Path = readonly (string | number)[]

interface Leaf {
  readonly path: Path
  readonly schema: FieldSchema
  /** What the field says of it, or its section. */
  readonly restart: boolean | undefined
}

/** Each field that has no fields within, once; of lists and of what has names, the first. */
function leavesOf(schema: FieldSchema, path: Path = [], inherited?: boolean): Leaf[] {
  const { properties, patternProperties, items, restart = inherited } = schema
  const within = [
    ...Object.entries(properties ?? {}),
    ...Object.values(patternProperties ?? {}).map((entry) => ['alpha', entry] as const),
    ...(items?.properties === undefined ? [] : [[0, items] as const]),
  ]
  if (within.length === 0) return [{ path, schema, restart }]
  return within.flatMap(([name, field]) => leavesOf(field, [...path, name], restart))
}

/** With something in each section that may be absent, so that each field can be changed in it. */
export const config = {
  listen: { tls: { certFile: 'cert.pem', keyFile: 'key.pem' } },
  admin: { port: 9090 },
  control: { socket: 'control.sock' },
  cluster: {
    endpoints: [
      { url: 'https://127.0.0.1:9094', username: 'u', passwordFile: 'password', caFile: 'ca.pem' },
    ],
  },
  onOutage: 'journal',
  ledger: { directory: 'kept' },
  lookBack: { directory: 'kept' },
  fallback: { kubo: { url: 'http://127.0.0.1:5002' } },
  store: {
    ...{ redis: 'rediss://127.0.0.1:6379', username: 'u' },
    ...{ passwordFile: 'store-password', caFile: 'store-ca.pem' },
  },
  retentionDays: { alpha: 30 },
  roles: { alpha: ['id'], beta: ['id'] },
  encoders: {
    alpha: {
      role: 'alpha',
      leaseId: 'aaaaaaaaaaaa',
      keys: [{ id: 'k1', sha256: 'ab'.repeat(32) }],
      limits: {},
    },
  },
}

const files = {
  'cert.pem': certificate.cert,
  'key.pem': certificate.key,
  'ca.pem': certificate.cert,
  'store-ca.pem': certificate.cert,
  password: 'one',
  'store-password': 'one',
}

/** Of fields whose form is their own; the others get another number, word or path. */
const others: Readonly<Record<string, unknown>> = {
  'listen.host': '127.0.0.2',
  'listen.trustProxy': ['192.0.2.1'],
  'listen.publicUrl': 'https://pins.example.org',
  'listen.healthPath': '/health',
  'listen.tls.certFile': 'other/cert.pem',
  'listen.tls.keyFile': 'other/key.pem',
  'admin.host': '127.0.0.2',
  'admin.hostNames': ['gate'],
  'cluster.endpoints.0.url': 'https://127.0.0.1:9095',
  'cluster.endpoints.0.passwordFile': 'other/password',
  'cluster.endpoints.0.caFile': 'other/ca.pem',
  'fallback.kubo.url': 'http://127.0.0.1:5003',
  'store.redis': 'rediss://127.0.0.1:6380',
  'store.passwordFile': 'other/store-password',
  'store.caFile': 'other/store-ca.pem',
  'encoders.alpha.role': 'beta',
  'encoders.alpha.deny': ['id'],
  'encoders.alpha.from': ['192.0.2.1'],
  'encoders.alpha.leaseId': 'bbbbbbbbbbbb',
  'encoders.alpha.keys.0.sha256': 'cd'.repeat(32),
  'encoders.alpha.keys.0.created': '2026-01-01T00:00:00Z',
  'encoders.alpha.keys.0.expires': '2096-01-01T00:00:00Z',
  'roles.alpha': ['id', 'status'],
}

export function otherOf(
  path: string,
  { type, enum: words, items, minimum, maximum }: FieldSchema,
  now: unknown,
) {
  if (path in others) return others[path]
  if (words !== undefined) return words.find((word) => word !== now)
  if (items?.enum !== undefined) return [items.enum.at(-1)]
  if (type === 'boolean') return now !== true
  if (type === 'string') return 'other'
  // Bounds are beside each other in some pairs of fields: a step is small.
  if (type !== 'integer') throw new Error(`${path} needs another value to change to`)
  const number = typeof now === 'number' ? now : (minimum ?? 0)
  return number < (maximum ?? Infinity) ? number + 1 : number - 1
}

export async function loaded(t: Test) {
  // Not the test's own directory: the path of a socket has to be short.
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  mkdirSync(join(directory, 'other'))
  for (const [name, text] of Object.entries(files))
    for (const place of ['.', 'other']) writeFileSync(join(directory, place, name), text)
  const path = join(directory, 'config.json')
  const write = (value: object) => {
    writeFileSync(path, JSON.stringify(value), { mode: 0o640 })
  }
  write(config)
  return { ...(await LiveSettings.load(path)), write, directory }
}

export const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((one, name) => (one as Record<string, unknown> | undefined)?.[name], value)

export function changed(path: Path, value: unknown): object {
  const copy = structuredClone(config) as object
  let place = copy as Record<string | number, object>
  for (const name of path.slice(0, -1)) place = (place[name] ??= {}) as typeof place
  Object.assign(place, { [path.at(-1) ?? '']: value })
  // One without the other is refused.
  if (path[0] === 'onOutage') Reflect.deleteProperty(copy, 'fallback')
  return copy
}

/** What a reload said of a change. */
export async function reloaded(live: LiveSettings) {
  const outcome = await live.reload()
  if (!outcome.isApplied) throw new Error(JSON.stringify(outcome.problems))
  const { changes, needRestart } = outcome
  const { sections = [], files = [], ...rest } = changes
  const encoders = Object.keys(rest).filter((name) => /^(encoders|keys)/.test(name))
  return { sections, files, encoders, needRestart, hasNewTls: outcome.hasNewTls }
}

export const leaves = leavesOf(compiledSchema).filter(({ path }) => path[0] !== '$schema')
