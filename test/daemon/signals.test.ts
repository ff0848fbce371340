/** Signals: none is lost while the daemon starts, and none opens a door into it. */
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { bin, Daemon, run, startDaemon } from '../support/daemon.js'

const config = { listen: { host: '127.0.0.1', port: 0 } }

/** Sends signals to the process itself as soon as its first lines listen for the last of them. */
const early = (...signals: readonly string[]): string => `
process.on('newListener', (name) => {
  if (name === 'SIGUSR2') setImmediate(() => {
    for (const signal of ${JSON.stringify(signals)}) process.kill(process.pid, signal)
  })
})`

function started(t: Test, ...signals: readonly string[]): Daemon {
  const files = t.testdir({ 'config.json': JSON.stringify(config), 'early.mjs': early(...signals) })
  const flags = ['--import', join(files, 'early.mjs')]
  return run(t, ['serve', '--config', join(files, 'config.json')], flags)
}

t.test('SIGHUP and SIGUSR2 that come before it listens are obeyed once it does', async (t) => {
  const daemon = started(t, 'SIGHUP', 'SIGUSR2')
  await daemon.logged('log reopened')
  await daemon.logged('settings reloaded')
  const said = daemon.lines().map(({ msg }) => msg)
  t.ok(said.indexOf('listening') < said.indexOf('log reopened'), said.join())
  daemon.process.kill('SIGTERM')
  t.same(await daemon.exited, { code: 0, signal: null })
})

t.test('a SIGTERM that arrives before it listens shuts it down cleanly', async (t) => {
  const daemon = started(t, 'SIGTERM')
  t.same(await daemon.exited, { code: 0, signal: null })
  t.equal(daemon.lines().at(-1)?.msg, 'stopped')
})

t.test('a reload that a stop overtakes changes nothing', async (t) => {
  const daemon = started(t, 'SIGHUP', 'SIGTERM')
  t.same(await daemon.exited, { code: 0, signal: null })
  const messages = daemon.lines().map(({ msg }) => msg)
  t.equal(messages.at(-1), 'stopped')
  t.notOk(messages.includes('settings reloaded'), messages.join())
  t.notOk(daemon.lines().some(({ level }) => level === 'error'))
})

t.test('a second one then ends it immediately', async (t) => {
  const daemon = started(t, 'SIGTERM', 'SIGINT')
  t.same(await daemon.exited, { code: 1, signal: null })
  t.same(daemon.lines(), [], 'it never listened')
})

t.test('another command ends by a signal as any program does', async (t) => {
  const files = t.testdir({ 'access.log': '' })
  const tail = run(t, ['tail', '-f', join(files, 'access.log')])
  tail.process.kill('SIGTERM')
  t.same(await tail.exited, { code: null, signal: 'SIGTERM' })
})

t.test('SIGUSR1 never opens an inspector', async (t) => {
  const { daemon, url } = await startDaemon(t, config)
  daemon.process.kill('SIGUSR1')
  daemon.process.kill('SIGUSR2')
  await daemon.logged('log reopened')
  t.equal((await fetch(url)).status, 401)
  daemon.process.kill('SIGTERM')
  t.same(await daemon.exited, { code: 0, signal: null })
  t.equal(daemon.stderr, '', 'Node says there what it listens on')
})

t.test('an inspector that SIGUSR1 opened before the first line is closed again', async (t) => {
  // Node itself listens for it from its start; here it has done so when the program begins.
  const opened = `
    import { url } from 'node:inspector'
    process.kill(process.pid, 'SIGUSR1')
    while (url() === undefined) await new Promise((resolve) => setImmediate(resolve))`
  const files = t.testdir({ 'config.json': JSON.stringify(config), 'opened.mjs': opened })
  const flags = ['--inspect-port=0', '--import', join(files, 'opened.mjs')]
  const daemon = run(t, ['serve', '--config', join(files, 'config.json')], flags)
  await daemon.logged('listening')
  const [, at = ''] = /Debugger listening on ws:\/\/([^/]+)\//.exec(daemon.stderr) ?? []
  t.not(at, '')
  // Another server may have its port by then.
  const found = () =>
    fetch(`http://${at}/json/list`).then(
      (answer) => answer.text(),
      () => '',
    )
  while ((await found()).includes('webSocketDebuggerUrl'));
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
})

const namespaces = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const
const [program, ...options] = namespaces
const cannot =
  spawnSync(program, [...options, 'true']).status !== 0 && 'no process namespace can be made here'

t.test(
  'as the first process of a container it handles SIGTERM immediately',
  { skip: cannot },
  async (t) => {
    const files = t.testdir({ 'early.mjs': early('SIGTERM') })
    writeFileSync(join(files, 'config.json'), JSON.stringify(config))
    const node = ['-u', 'NODE_OPTIONS', process.execPath, '--import', join(files, 'early.mjs')]
    const serve = [bin, 'serve', '--config', join(files, 'config.json')]
    const child = spawn(program, [...options, 'env', ...node, ...serve], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const daemon = new Daemon(child)
    t.same(await daemon.exited, { code: 0, signal: null }, daemon.stderr)
    t.equal((await daemon.logged('listening')).pid, 1)
  },
)
