/** What is published of the schema: it is up to date, and the example is valid by it. */
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { settingsTables } from '../../../deploy/build/settings-table.js'
import { publishedSchema } from '../../../src/settings/schema/document.js'
import { configFrom } from '../../../src/settings/load.js'
import { leaves } from '../../support/every-field.js'
import { compiledSchema } from '../../../src/settings/schema/compiled-schema.js'
import { snapshotFrom } from '../../support/snapshot-from.js'

const fileText = (name: string) =>
  readFileSync(new URL(`../../../../${name}`, import.meta.url), 'utf8')

const example = fileText('config.example.json')

t.test('config.schema.json is what the schema says (npm run docs writes it)', async (t) => {
  t.equal(fileText('config.schema.json'), publishedSchema())
})

t.test("the settings' page is what the schema says (npm run docs writes it)", async (t) => {
  const page = fileText('docs/configuration.md')
  const tables = /<!-- settings: .*? -->\n\n([^]*?)\n<!-- \/settings -->/.exec(page)?.[1]
  t.equal(tables, settingsTables())
})

t.test(
  'the example is valid, also to a strict validator that knows the schema alone',
  async (t) => {
    const validate = new Ajv2020({ strict: true, formats: { 'date-time': true } }).compile(
      JSON.parse(publishedSchema()) as object,
    )
    t.ok(validate(JSON.parse(example)), JSON.stringify(validate.errors))
    t.ok(validate({}), 'what has a default may be absent')
    t.notOk(validate({ encoders: { 'a:b': {} } }))
    t.notOk(validate({ listen: { colour: 'red' } }))
    t.notOk(validate({ encoders: { alpha: { keys: [{}] } } }))
  },
)

t.test('the example shows every section, and every default as it is', async (t) => {
  const shown = JSON.parse(example) as Record<string, Record<string, unknown>>
  // Not a section for everybody: it takes a second Kubo.
  const sections = Object.entries(compiledSchema.properties).filter(
    ([name, { deprecated }]) => name !== 'fallback' && deprecated !== true,
  )
  t.same(
    Object.keys(shown),
    sections.map(([name]) => name),
  )
  const { config: defaults } = snapshotFrom({})
  const config = configFrom(example)
  const { trustProxy, ...listen } = config.listen
  t.same({ ...listen, trustProxy: [] }, defaults.listen)
  t.same(
    [config.cluster, config.log, config.limits],
    [defaults.cluster, defaults.log, defaults.limits],
  )
  t.same(Object.keys(shown.limits ?? {}), Object.keys(defaults.limits))
  t.same(Object.keys(shown.cluster ?? {}), Object.keys(defaults.cluster))
  t.not(trustProxy.length, 0)
})

/** The overrides of `limits` share one row. */
const overrideOf = (name: string): string => name.replace(/^(encoders\.NAME\.limits)\..*/, '$1')

t.test('each field has a row, which says whether it waits for a restart', async (t) => {
  const rows = new Map(
    settingsTables()
      .split('\n')
      .map((row) => row.split(' | '))
      .map(([name = '', type, fallback, effect]) => [name.slice(2), { type, fallback, effect }]),
  )
  t.same(rows.get('`listen.port`'), {
    type: 'integer, 0 to 65535',
    fallback: '`9098`',
    effect: 'restart',
  })
  t.equal(rows.get('`listen.headersTimeoutMs`')?.type, 'integer, ms, 1000 to 3600000')
  for (const { path, restart } of leaves) {
    const name = path
      .map((part) => (part === 'alpha' ? 'NAME' : part))
      .join('.')
      .replaceAll('.0', '[]')
    const nearest = [name, name.replace(/(?:\[\]|\.NAME)$/, ''), overrideOf(name)]
    const row = nearest.map((path) => rows.get(`\`${path}\``)).find((found) => found !== undefined)
    t.equal(row?.effect, restart === true ? 'restart' : 'at once', name)
  }
})
