/** Two operators at once: the real program, as processes of its own. */
import { spawnSync } from 'node:child_process'
import { chmodSync, closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadSettings } from '../../src/settings/load.js'
import { bin, run } from '../support/daemon.js'

t.test('several `keys add` at once wait for each other, and no key is lost', async (t) => {
  const dir = t.testdir({ 'config.json': '{\n  "encoders": {}\n}\n' })
  const path = join(dir, 'config.json')
  chmodSync(path, 0o640)
  const names = Array.from({ length: 8 }, (_, index) => `encoder-${index % 4}`)
  const results = await Promise.all(
    names.map(async (name) => {
      const child = run(t, ['keys', 'add', name, '--config', path])
      const { code } = await child.exited
      return { name, code, stdout: child.stdout, stderr: child.stderr }
    }),
  )
  const { keyring, config } = (await loadSettings(path)).snapshot
  const done = results.filter(({ code }) => code === 0)
  for (const { name, stdout } of done) {
    const secret = /pw_[A-Za-z0-9]{49}/.exec(stdout)?.[0] ?? ''
    t.match(keyring.find(secret), { encoder: { name } })
    t.notOk(readFileSync(path, 'utf8').includes(secret))
  }
  t.same(
    results.filter(({ code }) => code !== 0),
    [],
  )
  const stored = Object.values(config.encoders).flatMap(({ keys }) => keys)
  t.equal(stored.length, done.length)
  t.same(readdirSync(dir), ['config.json'])
})

t.test('the program ends with the exit code of its command', async (t) => {
  const cases = [
    [['--version'], 0],
    [['check', '--config', join(t.testdir({}), 'none.json')], 1],
    [['fly'], 2],
  ] as const
  for (const [args, code] of cases) t.same(await run(t, args).exited, { code, signal: null })
})

const unseen =
  /^pinwarden: error: key [0-9a-f]{8} of encoder alpha was stored, but not shown\nhint: .*\n$/

t.test('output that cannot be written is an error that says why', async (t) => {
  const config = join(t.testdir({ 'c.json': '{ "encoders": { "alpha": {} } }' }), 'c.json')
  const commands = [
    ['--help'],
    ['schema'],
    ['check'],
    ['encoders', 'list'],
    ['keys', 'list', '--json'],
    ['keys', 'add', 'alpha'],
    ['keys', 'add', 'alpha', '--json'],
  ]
  for (const command of commands) {
    const options = command.length === 1 && command[0] !== 'check' ? [] : ['-c', config]
    const args = ['-u', 'NODE_OPTIONS', process.execPath, bin, ...command, ...options]
    const full = openSync('/dev/full', 'w')
    const { status, stderr } = spawnSync('env', args, { stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    t.equal(status, 1, command.join(' '))
    const text = stderr.toString()
    t.match(
      text,
      /^(?:pinwarden: warning: .*\n|hint: .*\n)*pinwarden: error: standard output cannot be written: ENOSPC.*\n/,
      command.join(' '),
    )
    const rest = text.replace(/^[^]*ENOSPC.*\n/, '')
    t.match(rest, command[1] === 'add' ? unseen : /^$/, command.join(' '))
  }
})
