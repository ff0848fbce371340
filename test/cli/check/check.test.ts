/** `check` is the twin of the start: what one says, the other says. */
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { loadSettings } from '../../../src/settings/load.js'
import { Store } from '../../../src/store/store.js'
import { certificate, otherCertificate } from '../../support/certificate.js'
import { bin, run, startDaemon } from '../../support/daemon.js'
import { startFakeCluster } from '../../support/fake-cluster/index.js'
import { pinwarden, pinwardenWith } from '../../support/pinwarden.js'
import { noRedis, TestRedis } from '../../support/redis.js'
import { noScratchMachine, onScratchMachine } from '../../support/scratch-machine.js'

const fixtures = fileURLToPath(new URL('../../../../test/cli/check/fixtures', import.meta.url))
const names = (kind: string) => readdirSync(fixtures).filter((name) => name.endsWith(kind))

const brokenTexts = {
  'broken.bad.json': '{ "listen": {} "log": {} }',
  'deep.bad.json': '['.repeat(200_000),
  'deep-fields.bad.json': `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
  'proto.bad.json': '{ "__proto__": { "listen": { "port": 1 } }, "constructor": {} }',
}

const ledgers = [
  ['ledger-1', 'ledger.db', 'nowhere/file'],
  ['ledger-2', 'ledger.db', 'taken.sock'],
  ['ledger-3', 'several-peers', 'pipe'],
  ['ledger-4', 'ledger.db-wal', 'directory'],
] as const

const ledgerAt = (directory: string) => ({ ledger: { directory } })
const logAt = (file: string) => ({ log: { file } })

/** What cannot hold the daemon's files, even for root. */
const noPlaces = {
  ...{ proc: ledgerAt('/proc'), 'below-proc': ledgerAt('/proc/pinwarden/ledger') },
  ...{ sys: ledgerAt('/sys/pinwarden'), dangling: ledgerAt('dangling'), loop: ledgerAt('loop/a') },
  ...{ 'below-dangling': ledgerAt('dangling/ledger'), long: ledgerAt('x'.repeat(300)) },
  ...Object.fromEntries(ledgers.map(([name]) => [name, ledgerAt(name)])),
  ...{ 'log-proc': logAt('/proc/log'), 'log-cpu': logAt('/proc/cpuinfo') },
  ...{
    'log-socket': logAt('taken.sock'),
    'log-loop': logAt('loop'),
    'log-pts': logAt('/dev/pts/x'),
  },
  ...{ control: { control: { socket: 'dangling' } }, admin: { admin: { socket: '/proc/a.sock' } } },
}

/** The fixtures, with what they name beside them, in a directory of a short name. */
async function scene(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'check-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const at = (name: string) => join(directory, name)
  cpSync(fixtures, at('.'), { recursive: true })
  cpSync(fixtures, at('directory'), { recursive: true })
  writeFileSync(at('file'), '')
  writeFileSync(at('cert.pem'), certificate.cert)
  writeFileSync(at('key.pem'), certificate.key)
  writeFileSync(at('other-key.pem'), otherCertificate.key)
  execFileSync('mkfifo', [at('pipe')])
  const port = createServer().listen(0, '127.0.0.1')
  const socket = createServer().listen(at('taken.sock'))
  for (const server of [port, socket]) t.teardown(() => server.close())
  await Promise.all([once(port, 'listening'), once(socket, 'listening')])
  const taken = String((port.address() as AddressInfo).port)
  for (const name of names('.json'))
    writeFileSync(at(name), readFileSync(at(name), 'utf8').replace('11111', taken), { mode: 0o640 })
  for (const [name, text] of Object.entries(brokenTexts))
    writeFileSync(at(name), text, { mode: 0o640 })
  symlinkSync(at('nowhere/file'), at('dangling'))
  symlinkSync(at('loop'), at('loop'))
  for (const [ledger, file, target] of ledgers) {
    mkdirSync(at(ledger))
    symlinkSync(at(target), join(at(ledger), file))
  }
  for (const [name, fields] of Object.entries(noPlaces)) {
    const text = JSON.stringify({ listen: { port: 0 }, ...fields })
    writeFileSync(at(`${name}.bad.json`), text, { mode: 0o640 })
  }
  return { at }
}

t.test('check and serve refuse the same problems, in the same words', async (t) => {
  const { at } = await scene(t)
  const before = readdirSync(at('.'))
  const places = Object.keys(noPlaces).map((name) => `${name}.bad.json`)
  for (const name of [...names('.bad.json'), ...Object.keys(brokenTexts), ...places]) {
    const checked = await pinwarden('check', '-c', at(name))
    const served = await pinwardenWith(
      {
        takeSignals: (obey) => {
          obey('SIGTERM')
        },
      },
      'serve',
      '-c',
      at(name),
    )
    t.equal(checked.code, 1, name)
    // The daemon warns in its log.
    const stderr = checked.stderr.replaceAll(/^pinwarden: warning: .*\n/gm, '')
    t.match(stderr, /^pinwarden: error: .* has (a problem|\d problems)\n {2}\S/, name)
    t.notMatch(checked.stderr, /^ +at |: E[A-Z]+[:;]/m, 'neither a stack trace nor a bare code')
    t.same(served, { ...checked, stderr }, name)
  }
  t.same(readdirSync(at('.')), before, 'neither made anything')
})

t.test('serve accepts what check accepts', async (t) => {
  const { at } = await scene(t)
  for (const name of names('.good.json')) {
    const checked = await pinwarden('check', '-c', at(name))
    t.match(checked, { code: 0, stdout: /^ok: / }, checked.stderr)
    const daemon = run(t, ['serve', '-c', at(name)])
    await daemon.logged('listening')
    daemon.process.kill('SIGTERM')
    t.same(await daemon.exited, { code: 0, signal: null }, daemon.stderr)
  }
})

t.test(
  'resources that the running daemon holds are fine; held by another program they are a problem',
  async (t) => {
    const cluster = await startFakeCluster()
    t.teardown(() => cluster.close())
    const { at } = await scene(t)
    const config = {
      listen: { port: 0, tls: { certFile: at('cert.pem'), keyFile: at('key.pem') } },
      cluster: { endpoints: [{ url: cluster.url }] },
      admin: { port: 0 },
      // Each check asks without a key: to the next ones the gate says only that.
      limits: { failures: { max: 1 } },
      ...{ control: { socket: at('c.sock') }, ledger: { directory: at('state') } },
    }
    const { daemon, url, configPath } = await startDaemon(t, config)
    const { admin } = await daemon.logged('listening')
    const portOf = (text: unknown) => Number(new URL(String(text)).port)
    const inUse = {
      ...config,
      listen: { ...config.listen, port: portOf(url) },
      admin: { port: portOf(admin) },
    }
    writeFileSync(configPath, JSON.stringify(inUse))
    t.match(await pinwarden('check', '-c', configPath), { code: 0 })
    writeFileSync(
      configPath,
      JSON.stringify({ ...inUse, listen: { port: portOf(admin) }, admin: { port: portOf(url) } }),
    )
    t.match(await pinwarden('check', '-c', configPath), { code: 0 }, 'a restart swaps them')

    const other = at('other.json')
    const elsewhere = { ...inUse, listen: { port: 0 }, admin: { port: 0 } }
    for (const [fields, problems] of [
      [{ ...elsewhere, control: { socket: at('d.sock') } }, [/^ledger\.directory$/]],
      [elsewhere, [/^ledger\.directory$/, /^control\.socket$/]],
      [inUse, [/^ledger\.directory$/, /^control\.socket$/, /^admin\.port$/, /^listen\.port$/]],
    ] as const) {
      writeFileSync(other, JSON.stringify(fields), { mode: 0o640 })
      const { code, stdout } = await pinwarden('check', '--json', '-c', other)
      t.equal(code, 1, 'another daemon holds what this one would need')
      const found = (JSON.parse(stdout) as { problems: { path: string }[] }).problems
      t.match(
        found.map(({ path }) => path),
        problems,
      )
    }

    // By the port alone: whose it is, says neither control socket nor admin listener.
    const portOnly = { listen: inUse.listen, cluster: config.cluster }
    const moved = { ...portOnly, control: { socket: at('e.sock') }, admin: { port: 0 } }
    for (const fields of [portOnly, moved]) {
      writeFileSync(other, JSON.stringify(fields))
      const stderr =
        `listen.port: another program listens on port ${portOf(url)} of 127.0.0.1: ` +
        `pinwarden with ${configPath}, process ${daemon.process.pid ?? 0}\n`
      t.match(await pinwarden('check', '-c', other), { code: 1, stderr })
      const second = run(t, ['serve', '-c', other])
      t.equal((await second.exited).code, 1)
      t.match(second.stderr, stderr)
      writeFileSync(configPath, JSON.stringify(fields))
      t.match(await pinwarden('check', '-c', configPath), { code: 0 }, 'it is its own')
      symlinkSync(configPath, at(`link-${String('admin' in fields)}.json`))
      t.match(await pinwarden('check', '-c', at(`link-${String('admin' in fields)}.json`)), {
        code: 0,
      })
    }
    const again = run(t, ['serve', '-c', configPath])
    t.equal((await again.exited).code, 1)
    t.match(again.stderr, /listen\.port: .* pinwarden with \S+config\.json, process \d+\n/)

    writeFileSync(configPath, JSON.stringify({ ...inUse, store: { redis: 'redis://127.0.0.1:1' } }))
    const online = await pinwarden('check', '--online', '-c', configPath)
    t.match(online, { code: 1, stderr: /has a problem\n {2}line 1: store\.redis: / })
    if (noRedis === false) {
      const redis = (await TestRedis.start(t)).url
      writeFileSync(configPath, JSON.stringify({ ...inUse, store: { redis } }))
      const free = await pinwarden('check', '--online', '-c', configPath)
      t.match(free, { code: 0, stdout: /\n {2}store {5}answers\n/ })
      const { snapshot } = await loadSettings(configPath, {})
      const settings = { ...snapshot.config.store, redis }
      const secrets = snapshot.storeSecrets
      const store = await Store.open({ settings, secrets, log: () => undefined })
      await store.claim(['another'])
      t.match(await pinwarden('check', '--online', '-c', configPath), {
        code: 1,
        stderr: /has a problem\n {2}line 1: store\.namespace: .*another cluster/,
      })
      store.close()
    }
    writeFileSync(configPath, JSON.stringify(inUse))
    const { stdout } = await pinwarden('check', '--online', '-c', configPath)
    t.match(stdout, `online    ${cluster.url} answers: version`)
    // If it is its own cluster, check notices.
    const plain = await startDaemon(t, { listen: { port: 0 } })
    const asked = { listen: { port: 0 }, cluster: { endpoints: [{ url: plain.url }] } }
    writeFileSync(configPath, JSON.stringify(asked))
    t.match(await pinwarden('check', '--online', '-c', configPath), {
      code: 1,
      stderr: /not a cluster/,
    })
  },
)

t.test(
  "a port that systemd holds for the packages' unit is no problem",
  { skip: noScratchMachine },
  async (t) => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    t.teardown(() => taken.close())
    const { port } = taken.address() as AddressInfo
    const config = JSON.stringify({ listen: { port } })
    const said = (state: string, at: number) => `ActiveState=${state}\nListen=[::]:${at} (Stream)`
    const check = `'${process.execPath}' '${bin}' check --user root -c`
    const script = [
      'cd /root; mkdir -p /etc/pinwarden; umask 027',
      `echo '${config}' | tee /etc/pinwarden/config.json > other.json`,
      ...[said('inactive', port), said('active', 1), said('active', port)].flatMap((text) => [
        `printf '#!/bin/sh\nprintf "%s"\n' '${text.replace('\n', '\\\\n')}' > /usr/local/bin/systemctl`,
        'chmod 755 /usr/local/bin/systemctl',
        `${check} /etc/pinwarden/config.json >&2; echo $?`,
      ]),
      `${check} other.json >&2; echo $?`,
    ].join('\n')
    const { stdout, stderr } = await onScratchMachine(script)
    t.equal(stdout, '1\n1\n0\n1\n', stderr)
    t.match(stderr, `another program listens on port ${port} of 127.0.0.1: `)
  },
)

const noMounts =
  spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'x', '/mnt']).status !== 0 &&
  'only root mounts a file system for a test'

t.test('a disk without free space or inodes is warned of', { skip: noMounts }, async (t) => {
  const files = t.testdir({
    'c.json': JSON.stringify({
      listen: { port: 0 },
      log: { file: '/mnt/log/access.log' },
      ledger: { directory: '/mnt/state' },
      listing: { directory: '/mnt/listing' },
    }),
    'early.mjs': `process.on('newListener', (name) => {
      if (name === 'SIGUSR2') setImmediate(() => process.kill(process.pid, 'SIGTERM'))
    })`,
  })
  const script = `
    set -e; cd "$1"; shift
    mount -t tmpfs -o "$1" x /mnt; mkdir /mnt/state /mnt/log /mnt/listing; touch /mnt/log/access.log
    sh -c "$2" 2>/dev/null || true
    chmod 640 c.json; shift 2
    "$@" check -c c.json
    "$1" --import ./early.mjs "$2" serve -c c.json
    cat /mnt/log/access.log >&2`
  const filled = { inodes: 'i=0; while mkdir /mnt/$i; do i=$((i+1)); done', space: 'yes > /mnt/f' }
  for (const [options, fill, words] of [
    ['nr_inodes=9', filled.inodes, 'is on a file system without free inodes: df -i shows it'],
    ['size=4m', filled.space, 'is on a file system with 0 MiB left: df -h shows it'],
  ] as const) {
    const command = [files, options, fill, process.execPath, bin]
    const { status, stdout, stderr } = spawnSync(
      ...(['unshare', ['--mount', 'sh', '-c', script, 'sh', ...command]] as const),
      { env: { ...process.env, NODE_OPTIONS: '' }, encoding: 'utf8' },
    )
    t.match(stdout, /^ok: c\.json\n/, stderr)
    const warned = [
      'ledger.directory: /mnt/state',
      'log.file: /mnt/log',
      'listing.directory: /mnt/listing',
    ]
    for (const place of warned) {
      t.match(stderr, new RegExp(`^pinwarden: warning: ${place} ${words}$`, 'm'))
      // On the full disk the log itself has no room.
      if (options !== 'size=4m')
        t.match(stderr, new RegExp(`^{.*"${place} ${words}".*the settings`, 'm'))
    }
    t.equal(status, 0)
  }
})

t.test('as JSON it lists each problem with its line, and exits with 1', async (t) => {
  const { at } = await scene(t)
  writeFileSync(
    at('c.json'),
    '{\n  "listen": { "port": 0, "prot": 1 },\n  "log": { "level": "loud" }\n}\n',
  )
  const { code, stdout } = await pinwarden('check', '--json', '-c', at('c.json'))
  t.equal(code, 1)
  t.match(JSON.parse(stdout), {
    ok: false,
    problems: [
      { path: 'listen.prot', line: 2, message: /did you mean port/ },
      { path: 'log.level', line: 3, found: '"loud"' },
    ],
  })
  const good = await pinwarden('check', '--json', '-c', at('sockets.good.json'))
  t.match(JSON.parse(good.stdout), { ok: true, problems: [], summary: { encoders: '0' } })
})

t.test('variables override fields, and check names them', async (t) => {
  const { at } = await scene(t)
  const env = {
    PINWARDEN_LISTEN_HOST: '127.0.0.2',
    PINWARDEN_LISTEN_PORT: '9444',
    PINWARDEN_CLUSTER_URL: 'http://cluster:9094',
    PINWARDEN_LOG_LEVEL: 'warn',
    PINWARDEN_ADMIN_HOST: '127.0.0.3',
  }
  const { code, stdout } = await pinwardenWith({ env }, 'check', '-c', at('sockets.good.json'))
  t.equal(code, 0)
  t.match(stdout, 'listen    127.0.0.2 port 9444')
  t.match(stdout, 'cluster   http://cluster:9094')
  for (const variable of Object.keys(env)) t.match(stdout, variable)
  const bad = await pinwardenWith(
    { env: { PINWARDEN_LISTEN_PORT: '94x' } },
    'check',
    '-c',
    at('sockets.good.json'),
  )
  t.match(bad, { code: 1, stderr: /^ {2}PINWARDEN_LISTEN_PORT \(listen\.port\): "94x" is not/m })
  const typo = { env: { PINWARDEN_LISTN_PORT: '9444', PINWARDEN_CONFIG: '', PINWARDEN_NODE: '' } }
  const hinted = await pinwardenWith(typo, 'check', '-c', at('sockets.good.json'))
  const meant = 'the variable PINWARDEN_LISTN_PORT: did you mean PINWARDEN_LISTEN_PORT?'
  t.match(hinted, { code: 0, stderr: meant })
  t.equal(hinted.stderr.split('the variable').length, 2)
  for (const [place, kind] of Object.entries({
    pipe: 'pipe',
    directory: 'directory',
    'taken.sock': 'socket',
  }))
    t.match(await pinwarden('check', '-c', at(place)), {
      ...{ code: 1, stderr: `${at(place)} is a ${kind}, and not a file\n` },
    })
  const noCopies = { listen: { port: 0 }, listing: { directory: 'nowhere' } }
  writeFileSync(at('copies.json'), JSON.stringify(noCopies), { mode: 0o640 })
  const warned = await pinwarden('check', '-c', at('copies.json'))
  t.match(warned, { code: 0, stderr: /warning: listing\.directory: \S+nowhere does not exist\n/ })
  const unset = { PINWARDEN_LISTEN_PORT: '' }
  t.notMatch(await pinwardenWith({ env: unset }, 'check', '-c', at('sockets.good.json')), /set by/)
})

const noOther = process.geteuid?.() !== 0 && 'only root may be another user'

t.test("files are checked with the rights of the daemon's user", { skip: noOther }, async (t) => {
  const { at } = await scene(t)
  chmodSync(at('.'), 0o755)
  chmodSync(at('key.pem'), 0o600)
  chmodSync(at('comments.good.json'), 0o644)
  const checked = run(t, ['check', '-c', at('comments.good.json'), '--user', 'nobody'])
  t.equal((await checked.exited).code, 1)
  const key = at('key.pem')
  t.match(checked.stderr, `user nobody may not read ${key} (root:root 0600); try chgrp `)
  t.match(checked.stderr, `chmod g+r ${key}\n`)
  const outcomes = { '65534': 1, '0': 0, 'no-such-user': 2, '-x': 2, '': 2 }
  for (const [user, code] of Object.entries(outcomes)) {
    const other = run(t, ['check', '-c', at('comments.good.json'), `--user=${user}`])
    t.equal((await other.exited).code, code, user)
    t.notMatch(other.stderr, /^ +at /m)
  }
})
