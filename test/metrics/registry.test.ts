/** What every registry has, and instruments whose values each scrape reads. */
import t from 'tap'
import { addCounter, addGauge } from '../../src/metrics/read-at-scrape.js'
import { openRegistry } from '../../src/metrics/registry.js'
import { has } from '../support/exposition.js'

const help = 'Of a test.'

t.test('a registry has metrics of the process and of its build', async (t) => {
  const registry = openRegistry('1.2.3')
  const text = await registry.metrics()
  for (const [name, type] of Object.entries({
    pinwarden_build_info: 'gauge',
    process_resident_memory_bytes: 'gauge',
    process_cpu_seconds_total: 'counter',
    nodejs_eventloop_lag_p99_seconds: 'gauge',
    nodejs_heap_size_used_bytes: 'gauge',
  })) {
    t.ok(text.includes(`# TYPE ${name} ${type}\n`), name)
  }
  t.equal(registry.contentType, 'text/plain; version=0.0.4; charset=utf-8')
  t.ok(text.includes(`pinwarden_build_info{version="1.2.3",node="${process.version}"} 1\n`))
})

t.test('an instrument has the value that its owner has at the scrape', async (t) => {
  const registry = openRegistry('test')
  let value = 3
  addGauge(registry, { name: 'a_gauge', help, read: () => value })
  addCounter(registry, { name: 'a_counter', help, read: () => value })
  await has(t, registry, { a_gauge: 3, a_counter: 3 })
  await has(t, registry, { a_gauge: 3, a_counter: 3 })
  value = 7
  await has(t, registry, { a_gauge: 7, a_counter: 7 })
  value = 0
  await has(t, registry, { a_gauge: 0, a_counter: 0 })
})

t.test('a series that its owner no longer names is gone at the next scrape', async (t) => {
  const registry = openRegistry('test')
  let names = ['one', 'two']
  const read = () => names.map((name) => [{ name }, 1] as const)
  addGauge(registry, { name: 'a_gauge', help, labelNames: ['name'], read })
  await has(t, registry, { 'a_gauge{name="one"}': 1, 'a_gauge{name="two"}': 1 })
  names = ['two', 'three']
  await has(t, registry, {
    'a_gauge{name="one"}': undefined,
    'a_gauge{name="two"}': 1,
    'a_gauge{name="three"}': 1,
  })
})

t.test('numbers with equal labels are added up', async (t) => {
  const registry = openRegistry('test')
  const read = () => [2, 3].map((value) => [{ name: '_other' }, value] as const)
  addGauge(registry, { name: 'a_gauge', help, labelNames: ['name'], read })
  addCounter(registry, { name: 'a_counter', help, labelNames: ['name'], read })
  await has(t, registry, { 'a_gauge{name="_other"}': 5, 'a_counter{name="_other"}': 5 })
})

t.test('two registries in one process do not know of each other', async (t) => {
  const [one, other] = [openRegistry('test'), openRegistry('test')]
  addGauge(one, { name: 'a_gauge', help, read: () => 1 })
  await has(t, one, { a_gauge: 1 })
  await has(t, other, { a_gauge: undefined })
})
