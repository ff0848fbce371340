/** The README's examples, run as they stand there. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { faults, refusals } from '../src/gate/refusals.js'
import { loadSettings } from '../src/settings/load.js'
import { builtInRoles, optionGrants, permissions } from '../src/settings/permissions.js'
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

t.test('the demo prints commands that work as they are', async (t) => {
  const demo = fileURLToPath(new URL('support/demo.js', import.meta.url))
  const child = spawn(process.execPath, [demo], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  while (!text.includes('Ctrl-C')) await once(child.stdout, 'data')

  t.match(text, /^ {2}IPFS_CLUSTER_ENDPOINT=http:\/\/demo:pw_\w+@127\.0\.0\.1:\d+$/m)
  const commands = [...text.matchAll(/^ {2}(curl .*)$/gm)].map(([, command = '']) => command)
  t.equal(commands.length, 3)
  for (const command of commands) {
    const { stdout } = await run('bash', ['-c', `${command} -sS`])
    t.match(JSON.parse(stdout), { cid: /^Qm/ }, command.slice(0, 14))
  }
  while (!text.includes('200 DELETE')) await once(child.stdout, 'data')
  t.match(text, /200 POST \/pins\/Qm\w+ by demo in [\d.]+ ms/)
  child.kill('SIGINT')
  t.same(await once(child, 'close'), [0, null])
})

t.test('every reason, permission, role and option is explained', async (t) => {
  const words = [
    ...Object.keys(refusals),
    ...Object.keys(faults),
    ...permissions,
    ...Object.keys(builtInRoles),
    ...optionGrants,
  ]
  const missing = words.filter((word) => !readme.includes(`\`${word}`))
  t.same(missing, [])
})

t.test('what it says of the statuses is so', async (t) => {
  for (const [reason, { status }] of Object.entries({ ...refusals, ...faults })) {
    const row = readme
      .split('\n')
      .find((line) => /^\| [\d, ]+ +\|.*`/.test(line) && line.includes(`\`${reason}\``))
    t.match(row, String(status), reason)
  }
})
