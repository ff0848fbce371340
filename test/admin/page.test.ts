/** The status page in a real browser: what it shows is what the requests of the test came to. */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { type Browser, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { ActivityReport } from '../../src/admin/activity-report.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { startDaemon } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'

const executablePath = '/usr/bin/chromium'
const skip = !existsSync(executablePath) && `there is no ${executablePath}`

const key = generateKey()
/** The longest that is legal. */
const longName = 'x'.repeat(63)
const cid = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

/** The real daemon, and a browser on this machine that looks at its page. */
async function watched(t: Test) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const { daemon, url } = await startDaemon(t, {
    listen: { port: 0 },
    admin: { port: 0 },
    cluster: { endpoints: [{ url: cluster.url }] },
    encoders: {
      alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }], limits: { reads: { max: 4 } } },
      idle: { enabled: false },
      [longName]: {},
      ...Object.fromEntries(Array.from({ length: 22 }, (_, index) => [`e${index + 1}`, {}])),
    },
  })
  const admin = String((await daemon.logged('listening')).admin)
  const browser = await chromium.launch({
    executablePath,
    // As root its sandbox cannot be; the page comes from this process.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  })
  t.teardown(() => browser.close())
  const ask = async (method: string, path: string, bearer = key) =>
    (await fetch(url + path, { method, headers: { authorization: `Bearer ${bearer}` } })).status
  return { cluster, daemon, admin, browser, ask }
}

interface View {
  readonly page: Page
  /** What the page may not cause. */
  readonly faults: readonly string[]
}

async function open(t: Test, browser: Browser, at: string, options: object = {}): Promise<View> {
  const page = await browser.newPage(options)
  t.teardown(() => page.close())
  const faults: string[] = []
  page.on('console', (message) => faults.push(`console: ${message.text()}`))
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('request', (request) => {
    if (!request.url().startsWith(at) && !request.url().startsWith('data:'))
      faults.push(`asks ${request.url()}`)
  })
  await page.goto(at)
  await page.locator('#encoders tbody tr').first().waitFor()
  return { page, faults }
}

const rowOf = (page: Page, name: string) => page.locator('#encoders tbody tr', { hasText: name })

/** A row's cells by the titles of their columns. */
async function cellsOf(page: Page, name: string): Promise<Record<string, string>> {
  const titles = await page.locator('#encoders thead th').allTextContents()
  const cells = await rowOf(page, name).locator('th, td').allTextContents()
  return Object.fromEntries(titles.map((title, index) => [title, cells[index] ?? '']))
}

t.test('in a browser', { skip }, async (t) => {
  const { admin, browser, ask, cluster, daemon } = await watched(t)

  t.test('the page shows requests as they come', async (t) => {
    t.same(
      await Promise.all([ask('POST', `/pins/${cid}`), ask('DELETE', '/pins/nonsense')]),
      [200, 400],
    )
    t.equal(await ask('GET', '/id', generateKey()), 401)
    const { page, faults } = await open(t, browser, admin)
    t.equal(await page.locator('#verdict').textContent(), 'ready')
    t.equal(await page.locator('#host').textContent(), hostname())
    t.ok(await page.getByText('plain HTTP', { exact: true }).isVisible())
    t.match(await page.locator('#alarms').textContent(), /^Nothing/)
    t.match(await page.locator('#peers').textContent(), /^127\.0\.0\.1:\d+ up \d+ (?:s|min)$/)
    t.match(await page.locator('#figures').textContent(), /Pending\d.*In doubt0.*outside0/)
    t.match(await cellsOf(page, 'alpha'), {
      Requests: '2',
      Refused: '1',
      Failed: '0',
      Why: '1 bad-cid',
      'Use of limits': /^writes 2 of \d+ $/,
      'Key expires': 'never',
    })
    t.match(await page.locator('#state').textContent(), /Ledger1 pins owed/)
    t.match(await cellsOf(page, 'no known encoder'), { Requests: '1', Why: '1 key-unknown' })
    // A rate stands before it as soon as the first ten seconds are over.
    t.match(
      await page.locator('#requests-words').textContent(),
      /^Requests: (?:\S+ now, \S+ at most; )?3 in the last hour, 2 refused, 0 failed\.$/,
    )
    const summaries = page.locator('#refusals summary')
    t.match(await summaries.allTextContents(), [
      /^key-unknown no known encoder 1 × last \d+ (?:s|min) ago$/,
      /^bad-cid alpha 1 × last \d+ (?:s|min) ago$/,
    ])

    for (const status of [200, 200, 200, 200, 429]) t.equal(await ask('GET', '/id'), status)
    await rowOf(page, 'alpha').getByText('1 rate-limited').waitFor()
    t.match(await cellsOf(page, 'alpha'), { Requests: '7', 'Use of limits': /reads 4 of 4/ })
    t.same(faults, [])
  })

  t.test('its figures agree with the log', async (t) => {
    const lines = daemon.lines().filter(({ outcome }) => outcome !== undefined)
    const count = (word: string) => lines.filter(({ outcome }) => outcome === word).length
    const { page } = await open(t, browser, admin)
    t.match(
      await page.locator('#requests-words').textContent(),
      `${lines.length} in the last hour, ${count('refused')} refused, ${count('fault')} failed`,
    )
    const { series } = (await (await fetch(`${admin}/activity`)).json()) as ActivityReport
    const { from, stepMs } = series
    const drawn = series.requests.map((requests, index) => ({
      from: from + index * stepMs,
      requests: requests ?? 0,
    }))
    // Both clocks are read in turn, so a time at the edge of a step may fall into either.
    for (const [edgeMs, isMost] of [
      [100, true],
      [-100, false],
    ] as const)
      for (const step of drawn.filter(({ requests }) => requests > 0)) {
        const [start, end] = [step.from - edgeMs, step.from + stepMs + edgeMs]
        const logged = lines.filter(({ time }) => {
          const at = Date.parse(String(time))
          return at >= start && at < end
        }).length
        t.ok(isMost ? step.requests <= logged : step.requests >= logged, `${step.requests}`)
      }
  })

  t.test('a group opens to its requests and stays open, and an id can be copied', async (t) => {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
    t.teardown(() => context.close())
    const page = await context.newPage()
    await page.goto(admin)
    const group = page.locator('#refusals > details', { hasText: 'bad-cid' })
    await group.locator('summary').click()
    const [logged] = daemon.lines().filter(({ reason }) => reason === 'bad-cid')
    const id = String(logged?.id)
    t.match(
      await group.locator('li').textContent(),
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC.* status 400 to 127\.0\.0\.1 DELETE \/pins\/nonsense /,
    )
    t.equal(await group.locator('.id code').textContent(), id)
    await group.getByRole('button', { name: `copy the id ${id}` }).click()
    await group.getByText('copied').waitFor()
    t.equal(await page.evaluate('navigator.clipboard.readText()'), id)
    await group.locator('summary').focus()
    await page.evaluate(
      `getSelection().selectAllChildren(document.querySelector('#refusals [data-key="${id}"] .id'))`,
    )
    await ask('DELETE', '/pins/nonsense-as-well')
    await group.getByText('2 ×').waitFor()
    t.equal(await group.getAttribute('open'), '')
    t.match(await page.evaluate('getSelection().toString()'), id, 'and what is selected stays so')
    t.equal(await page.evaluate('document.activeElement.tagName'), 'SUMMARY', 'with the focus')
  })

  t.test('encoders can be searched and sorted, and are shown twenty at a time', async (t) => {
    const { page } = await open(t, browser, admin)
    const names = () => page.locator('#encoders tbody th').allTextContents()
    t.equal((await names()).length, 20)
    t.match((await names()).slice(2, 4), [/^e1 pinner/, /^e2 pinner/], 'after those with refusals')
    t.match(await page.locator('#shown').textContent(), '20 of 26.')
    await page.getByRole('button', { name: 'Show 6 more' }).click()
    t.equal((await names()).length, 26)
    await page.getByLabel('Sort by').selectOption('name')
    t.match((await names()).slice(0, 13).join(' '), /^alpha .* e9 pinner e10 pinner e11/)
    await page.getByLabel('Search').fill('E1')
    t.equal((await names()).length, 11)
    await page.getByLabel('Search').fill('nobody')
    t.equal(await page.locator('#shown').textContent(), 'No encoder matches.')
  })

  t.test('text from strangers is never markup', async (t) => {
    await ask('GET', '/<img/src=x/onerror=document.title=1>')
    const { page, faults } = await open(t, browser, admin)
    await page.locator('#refusals', { hasText: /img\/src=x/ }).waitFor({ state: 'attached' })
    t.equal(await page.locator('#refusals img').count(), 0)
    t.equal(await page.title(), 'pinwarden')
    t.same(faults, [])
  })

  t.test('the page fits a phone, and has a dark theme', async (t) => {
    await ask('DELETE', `/pins/${'x'.repeat(200)}`)
    const papers = []
    for (const colorScheme of ['light', 'dark']) {
      const viewport = { width: 320, height: 740 }
      const { page, faults } = await open(t, browser, admin, { viewport, colorScheme })
      await page.getByRole('button', { name: 'Show 6 more' }).click()
      for (const summary of await page.locator('#refusals summary').all()) await summary.click()
      for (const width of [320, 700, 1000, 1215, 1217, 1280]) {
        await page.setViewportSize({ width, height: 740 })
        const scrolled = await page.evaluate('document.documentElement.scrollWidth')
        t.equal(scrolled, width, `${colorScheme} ${width}`)
      }
      papers.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
      t.equal(await page.locator('#requests-plot canvas').count(), 1)
      t.match(await page.getByRole('table', { name: /The last hour of each/ }).count(), 1)
      t.same(faults, [])
    }
    t.not(papers[0], papers[1])
  })

  t.test('a cluster that is down, and a daemon that does not answer, are at the top', async (t) => {
    const { page, faults } = await open(t, browser, admin)
    await cluster.close()
    t.equal(await ask('DELETE', `/pins/${cid}`), 502)
    await page.getByText('not ready: cluster').waitFor()
    const card = page.locator('#alarms .urgent', { hasText: 'The cluster does not answer' })
    await card.waitFor()
    t.match(
      await card.textContent(),
      /Since \d{4}-\d\d-\d\d .*Every encoder.*What to do: .*systemctl/,
    )
    await page.locator('#peers .down').waitFor()
    t.equal(await page.title(), 'not ready: cluster – pinwarden')
    t.match(await cellsOf(page, 'alpha'), { Failed: '1' })
    t.same(
      faults.filter((fault) => !fault.includes('503')),
      [],
      'but for the status of /readyz, which the browser mentions',
    )
    daemon.process.kill('SIGTERM')
    await daemon.exited
    await page.getByText('the daemon has not answered').waitFor()
    t.match(await page.locator('#updated').textContent(), /^shown is \d{4}-/)
    t.match(await page.locator('#alarms li').first().textContent(), /The daemon does not answer/)
    t.equal(await page.locator('body.stale').count(), 1, 'what is shown is dimmed')
    const filterOf = (selector: string) =>
      page.evaluate(`getComputedStyle(document.querySelector('${selector}')).filter`)
    t.equal(await filterOf('#alarms > li'), 'none', 'but not what is so now')
    t.equal(await filterOf('section:has(#alarms)'), 'none')
    t.equal(await filterOf('section:has(#state)'), 'grayscale(1)')
  })
})

t.test('the page loads everything from the daemon, under a strict policy', async (t) => {
  const { admin } = await watchedWithoutBrowser(t)
  for (const [path, type] of [
    ['/', 'text/html'],
    ['/page.css', 'text/css'],
    ['/page.js', 'text/javascript'],
  ] as const) {
    const answer = await fetch(admin + path)
    t.equal(answer.status, 200, path)
    t.match(answer.headers.get('content-type'), new RegExp(`^${type}; charset=utf-8$`))
    t.match(answer.headers.get('content-security-policy'), /^default-src 'none';/)
    t.notMatch(answer.headers.get('content-security-policy'), /unsafe|https?:|\*/)
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    t.equal(answer.headers.get('referrer-policy'), 'no-referrer')
    t.ok((await answer.text()).length > 500)
  }
})

async function watchedWithoutBrowser(t: Test) {
  const { daemon } = await startDaemon(t, {
    listen: { port: 0 },
    admin: { port: 0 },
    cluster: { endpoints: [{ url: 'http://127.0.0.1:9' }] },
  })
  return { admin: String((await daemon.logged('listening')).admin) }
}
