/** The README and the pages in docs/: examples run as they stand there, words and links are right. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { parse as parseYaml } from 'yaml'
import { faults, refusals } from '../src/gate/refusals.js'
import { digestOf, generateKey } from '../src/settings/keyring/key.js'
import { loadSettings } from '../src/settings/load.js'
import { builtInRoles, optionGrants, permissions } from '../src/settings/values/permissions.js'
import { missing } from './deploy/programs.js'
import { certificate } from './support/certificate.js'
import { run as runDaemon } from './support/daemon.js'
import { startFakeCluster } from './support/fake-cluster/index.js'
import { messagesIn } from './support/log-calls.js'
import { pinwardenWith } from './support/pinwarden.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const written = ['README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)]
const pages = new Map(
  written
    .filter((name) => name.endsWith('.md'))
    .map((name) => [name, readFileSync(root + name, 'utf8')]),
)
const all = [...pages.values()].join('\n')
const run = promisify(execFile)

/** A code block that has a language: `run` is run here as it stands, `show` is only parsed. */
interface Example {
  readonly at: string
  readonly language: string
  readonly mark: string
  readonly code: string
}

const examples: readonly Example[] = [...pages].flatMap(([page, text]) =>
  [...text.matchAll(/^```(\w+)(.*)\n([^]*?)^```/gm)].map((match) => {
    const [, language = '', mark = '', code = ''] = match
    const line = text.slice(0, match.index).split('\n').length
    return { at: `${page}:${line}`, language, mark: mark.trim(), code }
  }),
)
const marked = (language: string, mark: string): readonly Example[] =>
  examples.filter((example) => example.language === language && example.mark === mark)

t.test('each example says whether it is run or shown', async (t) => {
  const marks = new Set([
    'json run',
    'sh run',
    'sh show',
    'yaml show',
    'promql show',
    'mermaid show',
  ])
  const faults = examples.filter(({ language, mark }) => !marks.has(`${language} ${mark}`))
  t.same(faults, [])
  for (const mark of marks)
    t.ok(
      examples.some((example) => `${example.language} ${example.mark}` === mark),
      mark,
    )
})

t.test('each example of settings is valid', async (t) => {
  const directory = t.testdir({
    'fullchain.pem': certificate.cert,
    'privkey.pem': certificate.key,
    'peer-2.secret': 'secret',
    'store-password': 'secret',
    'store-ca.pem': certificate.cert,
  })
  for (const [index, { at, code }] of marked('json', 'run').entries()) {
    const path = join(directory, `config-${index}.json`)
    // A part of the file is shown without the braces around it.
    writeFileSync(path, code.startsWith('{') ? code : `{${code}}`, { mode: 0o640 })
    const { snapshot } = await loadSettings(path)
    t.ok(snapshot.config.listen.port > 0, at)
  }
})

t.test('each shell example marked run succeeds, with a running daemon', async (t) => {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  // The path of a socket has 107 bytes at most.
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const at = (name: string) => join(directory, name)
  const key = generateKey()
  const config = {
    listen: { port: 0 },
    control: { socket: 'control.sock' },
    cluster: { endpoints: [{ url: cluster.url }] },
    onOutage: 'journal',
    ledger: { directory: 'state' },
    encoders: { 'encoder-1': { keys: [{ id: 'k1', sha256: digestOf(key) }] } },
  }
  writeFileSync(at('config.json'), JSON.stringify(config), { mode: 0o640 })
  const { url } = await runDaemon(t, ['serve', '--config', at('config.json')]).logged('listening')
  const env = {
    ...process.env,
    PINWARDEN_CONFIG: at('config.json'),
    IPFS_CLUSTER_ENDPOINT: String(url).replace('//', `//encoder-1:${key}@`),
  }
  // Where a command names a file, it is one of this directory.
  const before = process.cwd()
  process.chdir(directory)
  t.teardown(() => {
    process.chdir(before)
  })
  for (const example of marked('sh', 'run')) {
    // In this process, which is quicker than one for each; the shell says what the words are.
    const called = 'pinwarden() { printf "%s\\n" "$@" >&3; echo >&3; }\n'
    const words = at('words')
    const commands = ['-euo', 'pipefail', '-c', `exec 3>"${words}"\n${called}${example.code}`]
    await t.resolves(run('bash', commands, { env }), example.at)
    for (const call of readFileSync(words, 'utf8').split('\n\n').slice(0, -1)) {
      const { code, stderr } = await pinwardenWith({ env }, ...call.split('\n'))
      t.equal(code, 0, `${example.at}: pinwarden ${call.replaceAll('\n', ' ')}`, { stderr })
    }
    const [, cid] = /curl -X POST .*\/pins\/(\w+)/.exec(example.code) ?? []
    if (cid !== undefined) t.ok(cluster.pins.has(cid), `${cid} is pinned`)
  }
})

t.test('each example marked show can be parsed', async (t) => {
  // One shell for all: each takes longer to start than to parse.
  const all = marked('sh', 'show').map(({ at, code }) => `# ${at}\n${code}\n`)
  await t.resolves(run('bash', ['-n', '-c', all.join('')]))
  for (const { at, code } of marked('yaml', 'show')) t.ok(parseYaml(code), at)
})

t.test('each query is one for Prometheus', { skip: missing('promtool') }, async (t) => {
  const queries = marked('promql', 'show').flatMap(({ code }) => code.split('\n\n'))
  const rules = queries.map((expr, index) => ({ record: `query_${index}`, expr }))
  const directory = t.testdir({ 'rules.json': JSON.stringify({ groups: [{ name: 'a', rules }] }) })
  await t.resolves(run('promtool', ['check', 'rules', join(directory, 'rules.json')]))
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

t.test('the statuses in the tables are correct', async (t) => {
  for (const [reason, { status }] of Object.entries({ ...refusals, ...faults })) {
    const row = all
      .split('\n')
      .find((line) => /^\| [\d, ]+ +\|.*`/.test(line) && line.includes(`\`${reason}\``))
    t.match(row, String(status), reason)
  }
})

t.test('each page says whom it is for, and is short enough to read', async (t) => {
  t.ok(Buffer.byteLength(pages.get('README.md') ?? '') <= 8 * 1024, 'README.md')
  for (const [name, text] of pages) {
    if (name === 'README.md') continue
    t.match(text, /^# .+\n\n(?:For|It is for) /, name)
    // It is generated, and looked up.
    if (name !== 'docs/configuration.md') t.ok(Buffer.byteLength(text) <= 20 * 1024, name)
  }
})

t.test('each link leads to an existing file and heading', async (t) => {
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

t.test('the page explains every message of the log, and no others', async (t) => {
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

t.test('quoted log messages exist', async (t) => {
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

t.test('the table of reasons has no reason that the gate never gives', async (t) => {
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
