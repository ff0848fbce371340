/** Restarts under load, on a socket that systemd keeps: no client is refused, nothing is lost. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { bin, Daemon, run } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { freePort } from '../support/free-port.js'
import { SteadyLoad } from '../support/steady-load.js'

const activate = 'systemd-socket-activate'
const skip = spawnSync(activate, ['--help']).error !== undefined && `${activate} is not installed`

const key = generateKey()
const plenty = { max: 1_000_000 }
const cluster = await startFakeCluster()
t.teardown(() => cluster.close())
const configPath = join(t.testdir({}), 'config.json')
const config = {
  // Only without a socket that is passed.
  listen: { host: '127.0.0.1', port: 0 },
  cluster: { endpoints: [{ url: cluster.url }] },
  limits: { reads: plenty, writes: plenty },
  encoders: { alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }] } },
}
writeFileSync(configPath, JSON.stringify(config), { mode: 0o640 })
const serve = [process.execPath, bin, 'serve', '--config', configPath]

const restarts = 3

/** What systemd does: keeps the socket, and starts the daemon again when it has ended. */
const manager = `
for start in $(seq ${restarts + 1}); do
  sh -c 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"' sh "$@" || exit
done`

t.test('a restart under load refuses no client and loses nothing', { skip }, async (t) => {
  const managed = ['sh', '-c', manager, 'sh', ...serve]
  const port = await freePort()
  const child = spawn(activate, ['--listen', `127.0.0.1:${port}`, ...managed], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const daemon = new Daemon(child)
  while (!daemon.stderr.includes('Listening on'))
    await Promise.race([once(child.stderr, 'data'), daemon.exited])

  const load = new SteadyLoad(`http://127.0.0.1:${port}`, key)
  for (let start = 0; start <= restarts; start++) {
    const { pid, url } = await daemon.logged('listening', start)
    t.equal(url, `http://127.0.0.1:${port}`)
    t.teardown(() => spawnSync('kill', ['-KILL', String(pid)]))
    await load.answers(300)
    if (start === restarts) await load.stop()
    process.kill(Number(pid), 'SIGTERM')
    await daemon.logged('stopped', start)
  }

  t.same(load.failures, [])
  t.equal(cluster.requestCount, load.answered, 'the cluster was asked for each, once')
  const logged = daemon.lines().filter(({ msg }) => msg === 'request')
  t.equal(logged.length, load.answered, 'and each has its line')
})

t.test('sockets that are meant for another process, or too many, are not guessed at', async (t) => {
  const environment = { ...process.env, LISTEN_PID: '1', LISTEN_FDS: '1' }
  const inherited = run(t, serve.slice(2), [], environment)
  const { url } = await inherited.logged('listening')
  t.equal((await fetch(`${String(url)}/id`)).status, 401, 'it listens by itself')

  const script = 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"'
  const several = new Daemon(
    spawn('sh', ['-c', script, 'sh', ...serve], { stdio: ['ignore', 'pipe', 'pipe'] }),
  )
  t.equal((await several.exited).code, 1)
  t.match(several.stderr, 'LISTEN_FDS=2: the daemon takes one socket')
})
