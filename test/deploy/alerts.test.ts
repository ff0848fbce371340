/** The alert rules: promtool takes them, each fires when it should and only then. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { cases, type Series } from './alert-cases.js'
import { busyGate } from '../support/busy-gate.js'
import { labelsIn, strangers } from './exposition.js'
import { missing } from './programs.js'
import { repository, run } from './staging.js'

const folder = `${repository}deploy/prometheus/`
const rules = `${folder}alerts.yml`
const text = readFileSync(rules, 'utf8')
const [head = '', ...alerts] = text.split(/^(?= {6}- alert: )/m)
const names = alerts.map((alert) => /^ {6}- alert: (\w+)$/m.exec(alert)?.[1] ?? '')
const skip = missing('promtool')

t.test('promtool accepts the rules and the config that names them', { skip }, async (t) => {
  t.match(await run('promtool', ['check', 'rules', rules]), {
    code: 0,
    text: `SUCCESS: ${names.length} rules found`,
  })
  t.match(await run('promtool', ['check', 'config', `${folder}prometheus.yml`]), { code: 0 })
})

t.test('every alert has a case in which it fires, and others in which it does not', async (t) => {
  t.same(Object.keys(cases).sort(), [...names].sort())
})

for (const [name, { fires, quiet, at, every = '1m' }] of Object.entries(cases)) {
  t.test(`${name} fires when it should, and only then`, { skip }, async (t) => {
    const expr = `count by (alertname) (ALERTS{alertname="${name}",alertstate="firing"})`
    const firing = [{ labels: `{alertname="${name}"}`, value: 1 }]
    const test = (series: Series, samples: typeof firing) => ({
      interval: every,
      input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
      promql_expr_test: [{ expr, eval_time: at, exp_samples: samples }],
    })
    const tests = [test(fires, firing), ...Object.values(quiet).map((series) => test(series, []))]
    // Without the other alerts, each of which promtool would evaluate at every step of every case.
    const alone = head + (alerts[names.indexOf(name)] ?? '')
    const content = { rule_files: ['alert.yml'], evaluation_interval: every, tests }
    const folder = t.testdir({ 'alert.yml': alone, 'tests.json': JSON.stringify(content) })
    const { code, text } = await run('promtool', ['test', 'rules', join(folder, 'tests.json')])
    t.equal(code, 0, 'promtool agrees', { text })
  })
}

t.test('every metric and label in them is in /metrics', async (t) => {
  const exposition = await busyGate(t)
  const known = labelsIn(exposition)
  t.same(documented(), typesIn(exposition), 'types and labels in docs/metrics.md')
  for (const [index, alert] of alerts.entries()) {
    const query = (/expr: ([^]*?)\n {8}(?:for|labels):/.exec(alert)?.[1] ?? '').replace(/#.*/g, '')
    t.same(strangers(query, known), [], names[index] ?? '')
  }
  t.same(strangers('sum by (color) (rate(pinwarden_colors_total{hue="1"}[5m]))', known), [
    'no metric pinwarden_colors_total',
    'no label hue',
    'no label color',
  ])
})

t.test('each says what to do, and its runbook section exists', async (t) => {
  const place = 'file:///usr/share/doc/pinwarden/'
  for (const [index, alert] of alerts.entries()) {
    const name = names[index] ?? ''
    t.match(alert, /^ +severity: (page|ticket)$/m, name)
    t.match(alert, /^ +action: \S/m, name)
    const runbook = /^ +runbook_url: (.+)$/m.exec(alert)?.[1] ?? ''
    t.ok(runbook.startsWith(place), `${name}: ${runbook}`)
    const [file = '', anchor = ''] = runbook.slice(place.length).split('#')
    const page = existsSync(repository + file) ? readFileSync(repository + file, 'utf8') : ''
    t.ok(anchorsOf(page).includes(anchor), `${name}: ${runbook}`)
  }
})

/** What the page says: each metric's type and labels. */
function documented(): Record<string, string> {
  const page = readFileSync(`${repository}docs/metrics.md`, 'utf8').replaceAll('\n  ', ' ')
  const rows = page.matchAll(/^- `(pinwarden_\w+)`, (\w+)(?: by ([`\w, ]+))?:/gm)
  return Object.fromEntries(
    [...rows].map(([, name = '', type = '', labels = '']) => [
      name,
      `${type} ${labels.replaceAll('`', '').split(', ').sort().join()}`,
    ]),
  )
}

/** The same, as a gate exposes it; `le` is how a histogram counts. */
function typesIn(exposition: string): Record<string, string> {
  const types = [...exposition.matchAll(/^# TYPE (pinwarden_\w+) (\w+)$/gm)]
  const known = labelsIn(exposition)
  return Object.fromEntries(
    types.map(([, name = '', type = '']) => {
      const labels = known.get(type === 'histogram' ? `${name}_bucket` : name) ?? []
      return [
        name,
        `${type} ${[...labels]
          .filter((label) => label !== 'le')
          .sort()
          .join()}`,
      ]
    }),
  )
}

/** As those who show Markdown make them of its titles. */
const anchorsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
