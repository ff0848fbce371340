/** The README and the pages in docs/: examples run as they stand there, words and links are right. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseTree } from 'jsonc-parser'
import t from 'tap'
import { faults, refusals } from '../src/gate/refusals.js'
import { loadSettings } from '../src/settings/load.js'
import { builtInRoles, optionGrants, permissions } from '../src/settings/values/permissions.js'
import { certificate } from './support/certificate.js'
import { messagesIn } from './support/log-calls.js'
import { startGate } from './support/start-gate.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const written = ['README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)]
const pages = new Map(
  written
    .filter((name) => name.endsWith('.md'))
    .map((name) => [name, readFileSync(root + name, 'utf8')]),
)
const all = [...pages.values()].join('\n')
const run = promisify(execFile)

/** The first code block of a language that contains a text. */
function block(language: string, containing: string): string {
  const blocks = [...all.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))]
  const found = blocks.map(([, text = '']) => text).find((text) => text.includes(containing))
  if (found === undefined) throw new Error(`no ${language} block with ${containing}`)
  return found
}

t.test('the smallest configuration is valid', async (t) => {
  const directory = t.testdir({
    'config.json': block('json', '203.0.113.10'),
    'fullchain.pem': certificate.cert,
    'privkey.pem': certificate.key,
  })
  const { snapshot, tls } = await loadSettings(join(directory, 'config.json'))
  t.equal(snapshot.config.listen.port, 9098)
  t.ok(tls)
})

t.test('the curl line pins a CID', async (t) => {
  const gate = await startGate(t)
  const endpoint = gate.url.replace('//', `//alpha:${gate.keys.alpha ?? ''}@`)
  const command = block('sh', 'curl -X POST')
  const env = { ...process.env, IPFS_CLUSTER_ENDPOINT: endpoint }
  const { stdout } = await run('bash', ['-c', command], { env })
  const { cid } = JSON.parse(stdout) as { cid: string }
  t.ok(command.includes(cid))
  t.ok(gate.cluster.pins.has(cid))
})

t.test('every permission has its row in their table', (t) => {
  const table = /^\| permission +\| requests[^]*?\n\n/m.exec(all)?.[0] ?? ''
  const rows = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, word]) => word)
  t.same(rows, permissions)
  t.end()
})

t.test('every reason, role and option is explained', (t) => {
  const words = [
    ...Object.keys(refusals),
    ...Object.keys(faults),
    ...Object.keys(builtInRoles),
    ...optionGrants,
  ]
  const missing = words.filter((word) => !all.includes(`\`${word}\``))
  t.same(missing, [])
  t.end()
})

t.test('what it says of the statuses is so', async (t) => {
  for (const [reason, { status }] of Object.entries({ ...refusals, ...faults })) {
    const row = all
      .split('\n')
      .find((line) => /^\| [\d, ]+ +\|.*`/.test(line) && line.includes(`\`${reason}\``))
    t.match(row, String(status), reason)
  }
})

t.test('each page says whom it is for, and is short enough to be read', async (t) => {
  t.ok(Buffer.byteLength(pages.get('README.md') ?? '') <= 8 * 1024, 'README.md')
  for (const [name, text] of pages) {
    if (name === 'README.md') continue
    t.match(text, /^# .+\n\n(?:For|It is for) /, name)
    // It is generated, and looked up.
    if (name !== 'docs/configuration.md') t.ok(Buffer.byteLength(text) <= 20 * 1024, name)
  }
})

t.test('each link leads to a file and a heading that are there', async (t) => {
  const dead = [...pages].flatMap(([name, text]) =>
    linksIn(text)
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const [path = '', anchor] = link.split('#')
        const file = path === '' ? name : posix.join(posix.dirname(name), path)
        if (!existsSync(root + file)) return true
        return anchor !== undefined && !anchorsIn(pages.get(file) ?? '').includes(anchor)
      })
      .map((link) => `${name}: ${link}`),
  )
  t.same(dead, [])
})

const withoutCode = (text: string): string => text.replaceAll(/^```[^]*?^```/gm, '')

const linksIn = (text: string): string[] =>
  [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)

/** As GitHub makes them of headings. */
const anchorsIn = (text: string): string[] =>
  [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )

t.test('each example of the shell can be parsed, and each of JSON read', async (t) => {
  for (const [name, text] of pages)
    for (const [, language = '', code = ''] of text.matchAll(/^```(sh|json)\n([^]*?)^```/gm)) {
      const first = `${name}: ${code.split('\n')[0] ?? ''}`
      if (language === 'sh') await t.resolves(run('bash', ['-n', '-c', code]), first)
      // A part of the file is shown without the braces around it.
      else t.ok(parseTree(code.startsWith('{') ? code : `{${code}}`), first)
    }
})

t.test('every message of the log is explained, and none that is not logged', async (t) => {
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
  const logged = sources
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(`${root}src/${path}`, 'utf8') }))
    .filter(({ text }) => /\blog/.test(text))
    .flatMap(({ path, text }) => messagesIn(path, text))
  const page = pages.get('docs/log-messages.md') ?? ''
  const rows = [...page.matchAll(/^- `(.+?)` \*\*(\w+)\*\* (.)/gm)]
  const listed = rows.map(([, message = '', level = '']) => `${level}: ${message}`)
  const inCode = new Set(logged.map(({ level, message }) => `${level}: ${message}`))
  t.same(listed.toSorted(), [...inCode].toSorted())
  t.equal(page.match(/^- /gm)?.length, rows.length, 'each row has its form')
})

t.test('what is quoted of the log is a message of it', async (t) => {
  const page = pages.get('docs/log-messages.md') ?? ''
  const messages = [...page.matchAll(/^- `(.+?)` /gm)].map(([, message]) => message)
  const quoted = ['deploy/prometheus/alerts.yml', 'src/admin/alarms.ts'].flatMap((path) =>
    [...readFileSync(root + path, 'utf8').matchAll(/"([\w;:]+(?:\s+[\w;:]+){3,})"/g)].map(
      ([, text = '']) => text.replaceAll(/\s+/g, ' '),
    ),
  )
  t.not(quoted.length, 0)
  t.same(
    quoted.filter((text) => !messages.includes(text)),
    [],
  )
})

t.test('every field of the access log has its row, and every row its field', async (t) => {
  const source = readFileSync(`${root}src/log/access-line.ts`, 'utf8')
  const fields = [...source.matchAll(/^  readonly (\w+)\??:/gm)].map(([, field]) => field)
  const table = /^\| field [^]*?\n\n/m.exec(pages.get('docs/operations.md') ?? '')?.[0] ?? ''
  const rows = [...table.matchAll(/^\| (`[^|]+)\|/gm)].flatMap(([, names = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  )
  t.same(rows.toSorted(), [...fields, 'time', 'level'].toSorted())
})

t.test('the table of reasons has no word that the gate never says', async (t) => {
  const page = pages.get('docs/operations.md') ?? ''
  const table = /^\| status +\| reasons[^]*?\n\n/m.exec(page)?.[0] ?? ''
  const words = [...table.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)
  const others = ['client-left', 'client-stalled', 'internal-error', 'cluster-error']
  const known = [...Object.keys(refusals), ...Object.keys(faults), ...others]
  t.same(
    words.filter((word) => !known.includes(word)),
    [],
  )
})

t.test('every metric has its row with its help, and every name is a metric', async (t) => {
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(`${root}src/${path}`, 'utf8'))
    .join('\n')
  const inCode = [
    ...sources.matchAll(/'(pinwarden_\w+)',\s*(?:help:\s*)?(?:'([^'\n]*)'|"([^"\n]*)")/g),
  ].map(([, name = '', single, double]) => `${name}: ${single ?? double ?? ''}`)
  const page = pages.get('docs/metrics.md') ?? ''
  const rows = page
    .replaceAll('\n  ', ' ')
    .matchAll(/^- `(pinwarden_\w+)`, (?:counter|gauge|histogram)(?: by [`\w, ]+)?: (.+)$/gm)
  const listed = [...rows].map(([, name = '', help = '']) => `${name}: ${help}`)
  t.same(listed.toSorted(), inCode.toSorted())
  const names = new Set(inCode.map((line) => line.split(':')[0]))
  const strangers = [...all.matchAll(/\bpinwarden_[a-z_]+[a-z]/g)]
    .map(([name]) => name.replace(/_(?:bucket|sum|count)$/, ''))
    .filter((name) => !names.has(name))
  t.same(strangers, [])
})

t.test('every alert is listed with its urgency', async (t) => {
  const rules = readFileSync(`${root}deploy/prometheus/alerts.yml`, 'utf8')
  const inRules = [...rules.matchAll(/alert: (\w+)\n[^]*?severity: (\w+)/g)].map(
    ([, name = '', severity = '']) => `${severity} ${name}`,
  )
  const page = pages.get('docs/metrics.md') ?? ''
  const listed = ['page', 'ticket'].flatMap((severity) => {
    const [row = ''] = new RegExp(`^- \\*\\*${severity}\\*\\*:[^]*?\\.$`, 'm').exec(page) ?? []
    return [...row.matchAll(/`(\w+)`/g)].map(([, name = '']) => `${severity} ${name}`)
  })
  t.same(listed.toSorted(), inRules.toSorted())
})
