/** The package's logrotate rule, by the real program: three nights, and no line is lost. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { run as runProgram } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { waitForFile } from '../support/wait-for-file.js'
import { missing } from './programs.js'
import { repository } from './staging.js'
import { systemctl249 } from './systemctl-249.js'

const skip = missing('logrotate', 'bash')
const rule = readFileSync(`${repository}deploy/debian/pinwarden.logrotate`, 'utf8')
/** The machine's user, for whom the rule is rewritten, may be any. */
const [user, group] = ['-un', '-gn'].map((flag) => spawnSync('id', [flag]).stdout.toString().trim())

/** The rule with places of the test's own, and a systemd that seems to be 249. */
function rotationIn(t: Test) {
  const place = mkdtempSync(join(tmpdir(), 'pinwarden-logrotate-'))
  t.teardown(() => {
    rmSync(place, { recursive: true })
  })
  const [logs, systemd, config, state] = ['log', 'systemd', 'rule', 'state'].map((name) =>
    join(place, name),
  ) as [string, string, string, string]
  mkdirSync(logs, { mode: 0o755 })
  mkdirSync(systemd)
  const own = rule
    .replace('/var/log/pinwarden/', `${logs}/`)
    .replace('su pinwarden pinwarden', `su ${user} ${group}`)
    .replace('/run/systemd/system', systemd)
  t.not(own, rule)
  writeFileSync(config, own, { mode: 0o644 })
  const bin = systemctl249(join(place, 'bin'))
  const night = () => {
    // It rotates what was rotated last on an earlier day.
    if (existsSync(state))
      writeFileSync(state, readFileSync(state, 'utf8').replace(/\d{4}-\d+-\d+-/g, '2020-1-1-'))
    const path = `${bin}:${process.env.PATH ?? ''}`
    const { status, stderr } = spawnSync('logrotate', ['--state', state, config], {
      env: { ...process.env, NODE_OPTIONS: '', PATH: path },
    })
    return { status, stderr: stderr.toString() }
  }
  return { bin, log: join(logs, 'access.log'), logs, night }
}

/** The daemon, logging to the file; `ask` says what a line of the log will have as its id. */
async function serving(t: Test, file: string, bin: string) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const config = join(t.testdir({}), 'config.json')
  const settings = {
    listen: { port: 0, lingerMs: 0 },
    admin: { port: 0 },
    cluster: { endpoints: [{ url: cluster.url }] },
    log: { file },
  }
  writeFileSync(config, JSON.stringify(settings), { mode: 0o640 })
  const daemon = runProgram(t, ['serve', '--config', config])
  const started = /"url":"([^"]+)","cluster"/
  const [, origin] = started.exec(await waitForFile(file, (text) => started.test(text))) ?? []
  writeFileSync(join(bin, 'pid'), `${String(daemon.process.pid)}\n`)
  const ask = async (): Promise<string> => {
    const answer = await fetch(`${String(origin)}/id`)
    return answer.headers.get('x-request-id') ?? ''
  }
  return { daemon, ask }
}

/** Asks without a pause until it is ended. */
function steadily(ask: () => Promise<string>) {
  const ids: string[] = []
  const ending = new AbortController()
  const asking = (async () => {
    while (!ending.signal.aborted) ids.push(await ask())
  })()
  return async () => {
    ending.abort()
    await asking
    return ids
  }
}

const textOf = (file: string): string =>
  file.endsWith('.gz') ? gunzipSync(readFileSync(file)).toString() : readFileSync(file, 'utf8')

const idsIn = (text: string): string[] =>
  [...text.matchAll(/"id":"([0-9a-f-]{36})"/g)].map(([, id]) => id ?? '')

t.test('over three nights each file has its lines, and none is lost', { skip }, async (t) => {
  const { bin, log, logs, night } = rotationIn(t)
  const { daemon, ask } = await serving(t, log, bin)
  // The first time it only notes the file.
  t.same(night(), { status: 0, stderr: '' })
  const evenings: string[][] = []
  const all: string[] = []
  for (let count = 0; count < 3; count++) {
    const evening = await Promise.all(Array.from({ length: 20 }, ask))
    evenings.push(evening)
    const end = steadily(ask)
    t.same(night(), { status: 0, stderr: '' })
    // The daemon has opened the new file once there is a line in it.
    await waitForFile(log, (text) => idsIn(text).length > 0)
    all.push(...evening, ...(await end()))
  }
  daemon.process.kill('SIGTERM')
  t.same(await daemon.exited, { code: 0, signal: null })

  const names = ['access.log.3.gz', 'access.log.2.gz', 'access.log.1', 'access.log']
  t.same(readdirSync(logs).sort(), [...names].sort())
  const files = names.map((name) => idsIn(textOf(join(logs, name))))
  evenings.forEach((evening, index) => {
    t.ok(
      evening.every((id) => files[index]?.includes(id)),
      `${names[index] ?? ''} has the lines of night ${index + 1}`,
    )
  })
  t.same(files.flat().sort(), all.sort(), 'each request has one line')
})

t.test(
  'a daemon that cannot be signalled is a failure that logrotate reports',
  { skip },
  async (t) => {
    const { bin, log, night } = rotationIn(t)
    writeFileSync(log, 'a line\n')
    night()
    writeFileSync(join(bin, 'fails/show'), '')
    t.match(night(), { status: 1, stderr: /error running .*postrotate script/ })
  },
)

t.test('without a running daemon there is nothing to signal', { skip }, async (t) => {
  const { log, night } = rotationIn(t)
  writeFileSync(log, 'a line\n')
  night()
  t.same(night(), { status: 0, stderr: '' })
})
