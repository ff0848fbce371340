/** The status page in a real browser: what it shows is what the requests of the test came to. */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { startDaemon } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'

const executablePath = '/usr/bin/chromium'
const skip = !existsSync(executablePath) && `there is no ${executablePath}`

const key = generateKey()
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
  /** What no page of ours may cause. */
  readonly faults: readonly string[]
}

async function open(browser: Browser, at: string, options: object = {}): Promise<View> {
  const page = await browser.newPage(options)
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

  t.test('the page shows the requests that were made, as they come', async (t) => {
    t.same(
      await Promise.all([ask('POST', `/pins/${cid}`), ask('DELETE', '/pins/nonsense')]),
      [200, 400],
    )
    t.equal(await ask('GET', '/id', generateKey()), 401)
    const { page, faults } = await open(browser, admin)
    t.equal(await page.locator('#verdict').textContent(), 'ready')
    t.match(await cellsOf(page, 'alpha'), {
      Requests: '2',
      Refused: '1',
      Failed: '0',
      Why: '1 bad-cid',
      'Limits used': /^writes 2 of \d+ $/,
      'Key expires': 'never',
    })
    t.match(await page.locator('#state').textContent(), /Ledger1 pins owed/)
    t.match(await cellsOf(page, 'idle'), { Requests: '0', 'Key expires': 'has no live key' })
    t.match(await cellsOf(page, 'nobody known'), { Requests: '1', Why: '1 key-unknown' })
    t.match(await page.locator('#requests-words').textContent(), /3 in the last hour, 2 refused/)
    t.match(await page.locator('#troubles tbody tr').allTextContents(), [
      /127\.0\.0\.1GET \/id401key-unknown/,
      /alphaDELETE \/pins\/nonsense400bad-cid/,
    ])

    for (const status of [200, 200, 200, 200, 429]) t.equal(await ask('GET', '/id'), status)
    await rowOf(page, 'alpha').getByText('1 rate-limited').waitFor()
    t.match(await cellsOf(page, 'alpha'), { Requests: '7', 'Limits used': /reads 4 of 4/ })
    t.same(faults, [])
  })

  t.test('what strangers send is shown as text, and is never markup', async (t) => {
    await ask('GET', '/<img/src=x/onerror=document.title=1>')
    const { page, faults } = await open(browser, admin)
    t.match(await page.locator('#troubles tbody').textContent(), /img\/src=x/)
    t.equal(await page.locator('#troubles img').count(), 0)
    t.equal(await page.title(), 'pinwarden')
    t.same(faults, [])
  })

  t.test('a phone and a dark room are served too', async (t) => {
    await ask('DELETE', `/pins/${'x'.repeat(200)}`)
    const papers = []
    for (const colorScheme of ['light', 'dark']) {
      const viewport = { width: 360, height: 740 }
      const { page, faults } = await open(browser, admin, { viewport, colorScheme })
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360, colorScheme)
      papers.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
      t.equal(await page.locator('#requests-plot canvas').count(), 1)
      t.match(await page.getByRole('table', { name: /The last hour of each/ }).count(), 1)
      t.same(faults, [])
    }
    t.not(papers[0], papers[1])
  })

  t.test('a cluster that is away and a daemon that is gone are said at the top', async (t) => {
    const { page, faults } = await open(browser, admin)
    await cluster.close()
    t.equal(await ask('DELETE', `/pins/${cid}`), 502)
    await page.getByText('not ready: cluster').waitFor()
    await page.locator('#state', { hasText: 'does not answer' }).waitFor()
    t.equal(await page.title(), 'not ready: cluster – pinwarden')
    t.match(await cellsOf(page, 'alpha'), { Failed: '1' })
    t.same(
      faults.filter((fault) => !fault.includes('503')),
      [],
      'but for the status of /readyz, which the browser mentions',
    )
    daemon.process.kill('SIGTERM')
    await daemon.exited
    await page.getByText('no answer of the daemon').waitFor()
    t.match(await page.locator('#updated').textContent(), /^shown is /)
  })
})

t.test('all of it comes from the daemon, under a strict policy', async (t) => {
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
