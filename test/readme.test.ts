/** The README's examples, run as they stand there. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { faults, refusals } from '../src/gate/refusals.js'
import { loadSettings } from '../src/settings/load.js'
import { builtInRoles, optionGrants, permissions } from '../src/settings/values/permissions.js'
import { certificate } from './support/certificate.js'
import { startGate } from './support/start-gate.js'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const run = promisify(execFile)

/** The first code block of a language that contains a text. */
function block(language: string, containing: string): string {
  const blocks = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))]
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
  const table = /^\| permission +\|[^]*?\n\n/m.exec(readme)?.[0] ?? ''
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
  const missing = words.filter((word) => !readme.includes(`\`${word}\``))
  t.same(missing, [])
  t.end()
})

t.test('what it says of the statuses is so', async (t) => {
  for (const [reason, { status }] of Object.entries({ ...refusals, ...faults })) {
    const row = readme
      .split('\n')
      .find((line) => /^\| [\d, ]+ +\|.*`/.test(line) && line.includes(`\`${reason}\``))
    t.match(row, String(status), reason)
  }
})
