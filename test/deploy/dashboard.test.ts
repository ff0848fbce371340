/** The Grafana dashboard: every query of it is one that Prometheus takes and /metrics answers. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { exposed, strangers } from './exposition.js'
import { missing } from './programs.js'
import { repository, run } from './staging.js'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly datasource?: { readonly uid: string }
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition?: string }[]
  }
}

const file = `${repository}deploy/grafana/pinwarden.json`
const dashboard = JSON.parse(readFileSync(file, 'utf8')) as Dashboard
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const targets = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })),
)
const queries = [
  ...targets,
  ...dashboard.annotations.list.map(({ expr }) => ({ title: 'annotation', expr })),
]

/** Grafana puts values in place of these before it asks. */
const filled = (expr: string) =>
  expr
    .replaceAll('$__rate_interval', '5m')
    .replaceAll('$__range', '6h')
    .replace(/\$(instance|encoder)\b/g, '.*')

t.test('every metric and label that a query names is in /metrics', async (t) => {
  const known = await exposed(t)
  t.ok(queries.length > 30)
  for (const { title, expr } of queries) t.same(strangers(expr, known), [], `${title}: ${expr}`)
  for (const { name, definition = '' } of dashboard.templating.list.slice(1)) {
    const [, series = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? []
    t.same(strangers(`sum by (${label}) (${series})`, known), [], name)
  }
})

t.test('a legend names only labels that its query keeps', async (t) => {
  const known = await exposed(t)
  for (const { title, expr, legendFormat } of targets) {
    const [, by] = /^sum by \(([^)]*)\)/.exec(expr) ?? []
    const [, metric = ''] = /^(\w+)\{/.exec(expr) ?? []
    const left = by?.split(', ') ?? [...(known.get(metric) ?? [])]
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      t.ok(left.includes(label), `${title}: ${label}`)
    }
  }
})

t.test('promtool accepts every query', { skip: missing('promtool') }, async (t) => {
  const rules = queries.map(({ expr }, index) => ({ record: `query:${index}`, expr: filled(expr) }))
  const rulesFile = join(t.testdir({}), 'rules.json')
  writeFileSync(rulesFile, JSON.stringify({ groups: [{ name: 'queries', rules }] }))
  t.match(await run('promtool', ['check', 'rules', rulesFile]), {
    code: 0,
    text: `SUCCESS: ${rules.length} rules found`,
  })
  t.notMatch(JSON.stringify(rules), '$', 'no variable is left')
})

t.test('it asks whichever Prometheus is chosen', async (t) => {
  t.equal(dashboard.templating.list[0]?.name, 'datasource')
  for (const { title, datasource } of panels) t.equal(datasource?.uid, '${datasource}', title)
})

t.test('no two panels overlap or share a number', async (t) => {
  const places = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.trunc(i / w)}`),
  )
  t.equal(new Set(places).size, places.length)
  t.ok(places.every((place) => Number(place.split(',')[0]) < 24))
  t.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
})
