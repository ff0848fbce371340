/** Names that every object inherits, such as `constructor`, mean only what a file says of them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { activityReport } from '../../src/admin/activity-report.js'
import { Activity } from '../../src/admin/activity.js'
import { atOnce } from '../../src/time/slices.js'
import { rejectionOf } from '../../src/gate/outage/replay.js'
import { compiledSchema } from '../../src/settings/schema/compiled-schema.js'
import { configFrom } from '../../src/settings/load.js'
import { encodersOf } from '../../src/settings/keyring/resolve.js'
import { pinwarden, pinwardenWith } from '../support/pinwarden.js'
import { snapshotFrom } from '../support/snapshot-from.js'

/** Of lower case, so that they may be names in a file; the others are found in logs. */
const name = 'constructor'

t.test('a role of such a name has its own retention only', async (t) => {
  const of = (config: object) => atOnce(encodersOf(snapshotFrom(config).config)).get('alpha')
  const config = { roles: { [name]: ['id'] }, encoders: { alpha: { role: name } } }
  t.equal(of(config)?.retentionMs, Infinity)
  t.same([...(of(config)?.permissions ?? [])], ['id'])
  t.equal(of({ ...config, retentionDays: { [name]: 1 } })?.retentionMs, 86_400_000)
})

t.test('whatever a file maps from names to things inherits nothing', async (t) => {
  const config = configFrom('{}') as unknown as Record<string, object>
  const mapped = Object.entries(compiledSchema.properties)
    .filter(([, schema]) => 'patternProperties' in schema)
    .map(([field]) => field)
  t.same(mapped.sort(), ['encoders', 'retentionDays', 'roles'])
  for (const field of mapped) {
    const value = config[field] ?? {}
    t.equal(Object.getPrototypeOf(value), null, field)
    for (const word of [name, 'toString', '__proto__']) t.notOk(word in value, `${field} ${word}`)
  }
  const nested = JSON.stringify(Object.values(compiledSchema.properties)).split('patternProperties')
  t.equal(nested.length - 1, mapped.length, 'there are none further down')
})

t.test('an encoder that is not there is not found under such a name', async (t) => {
  const snapshot = snapshotFrom({ encoders: { alpha: {} } })
  const alpha = snapshot.keyring.encoder('alpha')
  if (alpha === undefined) throw new Error('no such encoder')
  const entry = {
    cid: 'Qm',
    encoder: name,
    keyDigest: '',
    holder: '',
    keyId: 'k',
    options: [],
    untilMs: Infinity,
  }
  const waiting = { ...entry, requestId: '', seq: 1, atMs: 0 }
  t.equal(rejectionOf(waiting, alpha, snapshot.config, 0), 'key-revoked')

  const activity = new Activity()
  const standing = { budgetLeft: () => undefined, pendingPins: () => new Map() }
  activity.encoders.set(name, { lastSeen: 0, steps: activity.series })
  const { encoders } = activityReport(activity, snapshot, standing, Date.now())
  t.same(
    encoders.map(({ name, role }) => [name, role]),
    [
      ['alpha', 'pinner'],
      [name, null],
    ],
  )
})

t.test('commands report a missing encoder, and keys add creates one', async (t) => {
  const path = join(t.testdir({}), 'config.json')
  writeFileSync(path, '{"encoders": {"alpha": {}}}', { mode: 0o640 })
  for (const word of [name, 'toString', '__proto__']) {
    const rotated = await pinwarden('keys', 'rotate', word, '--config', path)
    t.match(rotated, { code: 1, stderr: `there is no encoder ${word}` })
    const revoked = await pinwarden('keys', 'revoke', word, 'k1', '--config', path)
    t.match(revoked, { code: 1, stderr: `there is no encoder ${word}` })
    const removed = await pinwarden('encoders', 'remove', word, '--config', path)
    t.match(removed, { code: 1, stderr: `there is no encoder ${word}` })
  }
  const added = await pinwarden('keys', 'add', name, '--config', path)
  t.match(added, { code: 0, stdout: /its only one/ })
  t.equal((await pinwarden('check', '--config', path)).code, 0)
})

t.test('a report counts reasons of such names as it counts others', async (t) => {
  const words = [name, 'toString', '__proto__']
  const lines = words.map((reason) =>
    JSON.stringify({ msg: 'request', outcome: 'refused', reason, wouldRefuse: reason }),
  )
  const stdin = () => Readable.from([Buffer.from(lines.join('\n'))])
  const { stdout } = await pinwardenWith({ stdin: stdin() }, 'report', '-')
  for (const word of words) t.match(stdout, `1 ${word}`)
  const json = (await pinwardenWith({ stdin: stdin() }, 'report', '-', '--json')).stdout
  t.equal(json.match(/"__proto__": 1/g)?.length, 2)
})
