/** Notifications to systemd, received by a socket such as its own. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { run } from '../support/daemon.js'

const missing = ['systemd-notify', 'perl'].filter(
  (program) => spawnSync(program, ['--version']).error !== undefined,
)
const skip = missing.length > 0 && `not installed: ${missing.join(', ')}`

/** Node has no datagram sockets; Perl is on every Debian. */
const receiver = `
use Socket; $| = 1;
my $s;
socket($s, AF_UNIX, SOCK_DGRAM, 0) && bind($s, sockaddr_un($ARGV[0])) or die $!;
print "bound\\n";
while (defined recv($s, my $message, 4096, 0)) { print $message =~ s/\\n/ /gr, "\\n" }
`

async function started(t: Test, environment: Record<string, string> = {}) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const directory = t.testdir({})
  // The path of a socket has to be short.
  const place = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(place, { recursive: true })
  })
  const socket = join(place, 'notify')
  const manager = spawn('perl', ['-e', receiver, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => manager.kill())
  let received = ''
  manager.stdout.on('data', (chunk: Buffer) => (received += chunk.toString()))
  const notified = async (text: RegExp): Promise<void> => {
    while (!text.test(received)) await once(manager.stdout, 'data')
  }
  await notified(/bound/)

  const configPath = join(directory, 'config.json')
  const write = (config: object) => {
    const endpoints = [{ url: cluster.url }]
    writeFileSync(
      configPath,
      JSON.stringify({ listen: { port: 0 }, cluster: { endpoints }, ...config }),
      { mode: 0o640 },
    )
  }
  write({})
  const env = { PATH: process.env.PATH, NOTIFY_SOCKET: socket, ...environment }
  const daemon = run(t, ['serve', '--config', configPath], [], env)
  /** Without what systemd-notify says for itself. */
  const lines = () => (received.match(/^.*=.*$/gm) ?? []).filter((line) => line !== 'BARRIER=1')
  return { daemon, notified, write, lines }
}

t.test('systemd learns of the start, each reload and the stop, in order', { skip }, async (t) => {
  const { daemon, notified, write, lines } = await started(t)
  await notified(/READY=1/)
  const { url } = await daemon.logged('listening')
  t.equal((await fetch(`${String(url)}/id`)).status, 401, 'ready means that it listens')

  daemon.process.kill('SIGHUP')
  await notified(/RELOADING=1[^]*READY=1/)
  write({ nonsense: 1 })
  await notified(/refused/)
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
  await notified(/STOPPING/)
  const serving = `READY=1 STATUS=serving on ${String(url)}`
  t.match(lines(), [
    serving,
    /^RELOADING=1 MONOTONIC_USEC=\d+$/,
    serving,
    /^RELOADING=1 /,
    `${serving}; the settings last read were refused`,
    /^STOPPING=1 STATUS=\w/,
  ])
})

t.test('systemd gets watchdog messages as often as it asks', { skip }, async (t) => {
  const { notified, daemon } = await started(t, { WATCHDOG_USEC: '300000' })
  await notified(/(WATCHDOG=1[^]*){3}/)
  t.match(daemon.lines().at(-1), { msg: 'listening' }, 'without a word in the log')
})

t.test('a watchdog that is meant for another process is ignored', { skip }, async (t) => {
  const environment = { WATCHDOG_USEC: '30000', WATCHDOG_PID: '1' }
  const { notified, lines, daemon } = await started(t, environment)
  await notified(/READY=1/)
  daemon.process.kill('SIGTERM')
  await notified(/STOPPING/)
  t.notMatch(lines().join(), 'WATCHDOG')
})

t.test('without a listener for notifications the daemon serves', { skip }, async (t) => {
  const { daemon } = await started(t, { NOTIFY_SOCKET: '/nonexistent/socket' })
  t.match(await daemon.logged('could not tell systemd the state'), { level: 'warn' })
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
})
