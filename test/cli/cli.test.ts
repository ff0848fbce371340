/** The command line: its exit codes, its messages, check and keys add. */
import { chmodSync, readFileSync, statSync } from 'node:fs'
import { execFile, spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { run } from '../../src/cli/cli.js'
import { loadSettings } from '../../src/settings/load.js'
import { type Environment, overridden } from '../../src/settings/overrides.js'
import { certificate } from '../support/certificate.js'

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function pinwarden(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Result> {
  let [stdout, stderr] = ['', '']
  const code = await run(args, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env,
  })
  return { code, stdout, stderr }
}

function configIn(t: Test, config: unknown): string {
  const dir = t.testdir({
    'config.json': typeof config === 'string' ? config : `${JSON.stringify(config, null, 2)}\n`,
    'cert.pem': certificate.cert,
    'key.pem': certificate.key,
  })
  for (const file of ['config.json', 'key.pem']) chmodSync(join(dir, file), 0o640)
  return join(dir, 'config.json')
}

const tls = { certFile: 'cert.pem', keyFile: 'key.pem' }

t.test('the manual has the commands, exit codes, variables, signals and files', async (t) => {
  const program = fileURLToPath(new URL('../../src/main.js', import.meta.url))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [resolve('deploy/debian/manual.js'), program, '1.2.3'],
    { env: { PATH: process.env.PATH, SOURCE_DATE_EPOCH: '0' } },
  )
  const parts = stdout.split(/^\.SH /m).map((part) => [part.split('\n', 1)[0] ?? '', part] as const)
  const manual = new Map(parts)
  t.same(
    [...manual.keys()].slice(1).join(', '),
    'NAME, SYNOPSIS, DESCRIPTION, COMMANDS, EXIT STATUS, ENVIRONMENT, SIGNALS, FILES',
  )
  t.match(manual.get('COMMANDS'), /^\.SS pins list\n(?:.*\n)*\.SS ledger forget$/m)
  for (const code of ['0', '1', '2'])
    t.match(manual.get('EXIT STATUS'), new RegExp(`^\\.B ${code}$`, 'm'))
  const names = overridden({}, everyVariable).map(({ variable }) => variable)
  t.equal(names.length, 5)
  for (const name of ['PINWARDEN_CONFIG', ...names]) t.match(manual.get('ENVIRONMENT'), name)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'])
    t.match(manual.get('SIGNALS'), signal)
  for (const file of ['config.json', 'ledger.db', 'control.sock'])
    t.match(manual.get('FILES'), file)
})

/** Whatever is asked for is set. */
const everyVariable = new Proxy<Environment>({}, { get: () => '1' })

t.test('a file that takes only a part of the output is a fault', (t) => {
  const program = fileURLToPath(new URL('../../src/main.js', import.meta.url))
  const script = 'ulimit -f 8; exec "$0" "$1" schema > "$2"'
  const file = join(t.testdir({}), 'schema.json')
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, program, file], {
    env: { PATH: process.env.PATH },
    encoding: 'utf8',
  })
  t.equal(status, 1)
  t.match(stderr, /^pinwarden: error: standard output cannot be written: EFBIG/)
  t.equal(statSync(file).size, 4096)
  t.end()
})

t.test('help and version go to stdout, and the exit code is 0', async (t) => {
  for (const args of [['--help'], ['help'], ['keys', 'add', '--help'], ['serve', '--help']]) {
    const { code, stdout, stderr } = await pinwarden(args)
    t.equal(code, 0, args.join(' '))
    t.match(stdout, /^Usage: pinwarden/)
    t.equal(stderr, '')
  }
  const commands = [
    ...['init', 'probe', 'serve', 'check', 'status', 'tail', 'schema'],
    ...['add', 'list', 'rotate', 'revoke'].map((name) => `keys ${name}`),
    ...['list', 'enable', 'disable', 'remove'].map((name) => `encoders ${name}`),
  ]
  for (const command of commands) {
    const { stdout } = await pinwarden([...command.split(' '), '--help'])
    t.match(stdout, `\nExamples:\n  $ pinwarden ${command}`, command)
  }
  t.match((await pinwarden(['--help'])).stdout, /Examples:[^]*keys add/)
  t.match(await pinwarden(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' })
})

t.test('wrong usage exits with 2, and stderr says what is wrong', async (t) => {
  const path = configIn(t, {})
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [[], /Usage: pinwarden/],
    [['keys'], /Usage: pinwarden keys/],
    [['chekc'], /^pinwarden: error: unknown command 'chekc'/],
    [['check', 'x'], /^pinwarden: error: too many arguments/],
    [['check', '--colour'], /^pinwarden: error: unknown option '--colour'/],
    [['check', '--config', ''], /^pinwarden: error: --config is empty\nhint: default: /],
    [['check', '--config'], /^pinwarden: error: option .* argument missing/],
    [['keys', 'add'], /^pinwarden: error: missing required argument 'name'/],
    [['keys', 'add', 'Al:pha', '-c', path], /^pinwarden: error: .* name .*\nhint: 1 to 63/],
    [
      ['keys', 'add', 'a', '-c', path, '--expires', 'soon'],
      /^pinwarden: error: --expires soon .*\nhint: /,
    ],
    [['keys', 'add', 'a', '-c', path, '--expires', '2020-01-01'], /in the past\nhint: /],
    [
      ['keys', 'add', 'a', '-c', path, '--endpoint', 'https://u:p@h'],
      /--endpoint is not a base URL\nhint: /,
    ],
    [['keys', 'add', 'a', '-c', path, '--endpoint', 'host:9098'], /--endpoint is not a base URL/],
  ]
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await pinwarden(args)
    t.equal(code, 2, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, message)
  }
  t.equal(readFileSync(path, 'utf8'), '{}\n')
})

t.test('check sums up a valid configuration, and exits with 0', async (t) => {
  const path = configIn(t, {
    listen: { host: '0.0.0.0', port: 9443, tls },
    encoders: {
      alpha: { keys: [{ id: 'a', sha256: 'ab'.repeat(32) }] },
      beta: {
        enabled: false,
        keys: [{ id: 'b', sha256: 'cd'.repeat(32), expires: '2020-01-01T00:00:00Z' }],
      },
    },
  })
  const { code, stdout, stderr } = await pinwarden(['check', '--config', path])
  t.equal(code, 0)
  t.equal(stderr, '')
  const days = Math.floor((Date.parse('2126-10-30T00:44:55Z') - Date.now()) / 86_400_000)
  t.equal(
    stdout,
    `ok: ${path}
  listen    0.0.0.0 port 9443
  tls       TLSv1.2 or newer, for localhost, 127.0.0.1, until 2126-10-30 (${days} days)
  cluster   http://127.0.0.1:9094
  encoders  2 (1 disabled)
  keys      2 (1 expired)
`,
  )
})

t.test('check warns on stderr of likely mistakes', async (t) => {
  const path = configIn(t, { listen: { host: '0.0.0.0', allowPlainHttp: true } })
  const { code, stderr } = await pinwarden(['check', '--config', path])
  t.equal(code, 0)
  t.match(
    stderr,
    'pinwarden: warning: listen.allowPlainHttp: keys, CIDs and answers are sent unencrypted',
  )
  t.match(stderr, 'pinwarden: warning: no encoders')
})

t.test('check lists every problem, and exits with 1', async (t) => {
  const path = configIn(t, { listen: { port: -1 }, encoders: { alpha: { role: 'boss' } }, x: 1 })
  const { code, stdout, stderr } = await pinwarden(['check', '--config', path])
  t.equal(code, 1)
  t.equal(stdout, '')
  const lines = stderr.trimEnd().split('\n')
  t.equal(lines.shift(), `pinwarden: error: ${path} has 3 problems`)
  t.same(lines.sort(), [
    '  line 10: unknown field x: use one of $schema, listen, admin, control, cluster, listing, log, limits, enforcement, unpin, onOutage, ledger, journal, fallback, store, retentionDays, roles, encoders',
    '  line 3: listen.port: -1 is not a whole number of 0 to 65535',
    '  line 7: encoders.alpha.role: "boss" is not one of reader, pinner, operator',
  ])
})

t.test('the file is --config, else PINWARDEN_CONFIG, else the default', async (t) => {
  const path = configIn(t, {})
  t.equal((await pinwarden(['check'], { PINWARDEN_CONFIG: path })).code, 0)
  t.match(await pinwarden(['check'], { PINWARDEN_CONFIG: '/nowhere/c.json' }), {
    code: 1,
    stderr:
      /^pinwarden: error: \/nowhere\/c\.json has a problem\n {2}\/nowhere\/c\.json does not exist\nhint: /,
  })
  t.equal((await pinwarden(['check', '-c', path], { PINWARDEN_CONFIG: '/nowhere' })).code, 0)
  t.match((await pinwarden(['check', '--help'])).stdout, '/etc/pinwarden/config.json')
})

const secretIn = (text: string) => /pw_[A-Za-z0-9]{49}/.exec(text)?.[0] ?? ''

t.test('keys add creates the encoder and shows its key once', async (t) => {
  const path = configIn(t, { listen: { host: '203.0.113.7', port: 9443, tls } })
  const before = readFileSync(path, 'utf8')
  const result = await pinwarden([
    'keys',
    'add',
    'alpha',
    '-c',
    path,
    '--expires',
    '90d',
    '--note',
    'new',
    '--role',
    'reader',
  ])
  t.match(result, { code: 0, stderr: /^hint: certificates are for names/m })
  const secret = secretIn(result.stdout)
  t.match(result.stdout, `\nIPFS_CLUSTER_ENDPOINT=https://alpha:${secret}@203.0.113.7:9443\n`)
  t.match(result.stdout, 'curl "$IPFS_CLUSTER_ENDPOINT/id"')
  t.equal(result.stdout.split(secret).length, 2, 'once')

  const { keyring, config } = (await loadSettings(path)).snapshot
  const entry = keyring.find(secret)
  t.match(entry, { encoder: { name: 'alpha' } })
  const key = config.encoders.alpha?.keys.at(0)
  if (key === undefined) throw new Error('no key was stored')
  t.equal(config.encoders.alpha?.role, 'reader')
  t.equal(key.note, 'new')
  t.equal(Date.parse(key.expires ?? '') - Date.parse(key.created ?? ''), 90 * 24 * 3_600_000)
  t.match(
    result.stdout,
    `# Key ${key.id} of encoder alpha, its only one, expires ${key.expires}.\n`,
  )
  const after = readFileSync(path, 'utf8')
  t.notOk(
    after.includes(secret) || after.includes(secret.slice(3, 20)),
    'it is nowhere in the file',
  )
  t.ok(after.startsWith(before.trimEnd().slice(0, -2)), 'what was there is there')
  t.equal(statSync(path).mode & 0o777, 0o640)
})

t.test('keys add gives an existing encoder another key, and keeps the first', async (t) => {
  const path = configIn(t, { encoders: { alpha: { enabled: false } } })
  const first = secretIn((await pinwarden(['keys', 'add', 'alpha', '-c', path])).stdout)
  const { stdout, stderr } = await pinwarden(['keys', 'add', 'alpha', '-c', path])
  t.match(stdout, 'one of 2, without expiry')
  t.match(stderr, /^hint: 127\.0\.0\.1 is only reachable from this machine; set listen\.publicUrl/)
  const { keyring, config } = (await loadSettings(path)).snapshot
  t.match(keyring.find(first), { encoder: { name: 'alpha', enabled: false } })
  t.match(keyring.find(secretIn(stdout)), { encoder: { name: 'alpha' } })
  t.equal(config.encoders.alpha?.keys.length, 2)
})

t.test('the address is --endpoint, or derived from where the gate listens', async (t) => {
  const cases: readonly (readonly [listen: object, args: string[], url: string, stderr: RegExp])[] =
    [
      [{}, [], 'http://127.0.0.1:9098', /^hint: .*only reachable from this machine/m],
      [{ host: '0.0.0.0', tls }, [], 'https://YOUR-HOST:9098', /^hint: .*capitals/m],
      [{ host: '::', tls, port: 0 }, [], 'https://YOUR-HOST:YOUR-PORT', /^hint: .*capitals/m],
      [{ host: '2001:db8::1', tls }, [], 'https://[2001:db8::1]:9098', /^hint: .*names/m],
      [{}, ['--endpoint', 'https://pins.example.org/'], 'https://pins.example.org', /^new.*\n$/],
      [{}, ['--endpoint', 'https://[2001:db8::1]:1'], 'https://[2001:db8::1]:1', /^new.*\n$/],
    ]
  for (const [listen, args, url, hint] of cases) {
    const path = configIn(t, { listen })
    const { stdout, stderr } = await pinwarden(['keys', 'add', 'alpha', '-c', path, ...args])
    const shown = stdout.replace(/alpha:pw_\w+@/, '')
    t.match(shown, `\nIPFS_CLUSTER_ENDPOINT=${url}\n`)
    t.match(stderr, hint)
  }
})

t.test('when keys add fails, it exits with 1 and changes nothing', async (t) => {
  const cases: readonly (readonly [config: unknown, args: string[], message: RegExp])[] = [
    [{}, ['--role', 'boss'], /encoders\.alpha\.role: "boss" is not one of/],
    [{ encoders: { alpha: {} } }, ['--role', 'reader'], /--role is for new encoders\nhint: /],
    [{}, ['--note', 'x'.repeat(300)], /note: a string of 300/],
    ['{"encoders": {},,}', [], /line 1, column 17/],
    [{ encoders: [] }, [], /encoders: a list of 0 is not an object/],
    [{ encoders: { alpha: { keys: {} } } }, [], /alpha\.keys: an object is not a list/],
  ]
  for (const [config, args, message] of cases) {
    const path = configIn(t, config)
    const before = readFileSync(path, 'utf8')
    const { code, stdout, stderr } = await pinwarden(['keys', 'add', 'alpha', '-c', path, ...args])
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, /^pinwarden: error: /)
    t.match(stderr, message)
    t.equal(readFileSync(path, 'utf8'), before)
  }
  t.match(await pinwarden(['keys', 'add', 'alpha', '-c', join(t.testdir({}), 'c.json')]), {
    code: 1,
    stderr: /c\.json does not exist\nhint: /,
  })
})
