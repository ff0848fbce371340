/** Live reload of the real daemon: every step is in its log, and no request is lost. */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { certificate, otherCertificate, rsaCertificate } from '../support/certificate.js'
import { type Daemon, type LogLine, run } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { textOf, waitForFile } from '../support/wait-for-file.js'

const keys = { alpha: generateKey(), beta: generateKey() }

interface Written {
  listen?: object
  cluster?: string
  limits?: object
  log?: object
  store?: object
  encoders?: Record<string, object>
}

const entry = (name: keyof typeof keys, fields: object = {}) => ({
  [name]: { keys: [{ id: 'k1', sha256: digestOf(keys[name]) }], ...fields },
})

async function served(t: Test, first: Written = {}, files: Record<string, string> = {}) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const directory = t.testdir(files)
  const path = join(directory, 'config.json')
  const textOf = ({ listen, limits, log, store, encoders, cluster: url }: Written) =>
    JSON.stringify({
      listen: { port: 0, ...listen },
      cluster: { endpoints: [{ url: url ?? cluster.url }] },
      ...(limits && { limits }),
      ...(log && { log }),
      ...(store && { store }),
      encoders: encoders ?? { ...entry('alpha'), ...entry('beta') },
    })
  writeFileSync(path, textOf(first), { mode: 0o640 })
  const daemon = run(t, ['serve', '--config', path])
  const url = String((await daemon.logged('listening')).url)
  const ask = async (name: keyof typeof keys) => {
    const headers = { authorization: `Bearer ${keys[name]}` }
    const response = await fetch(`${url}/id`, { headers })
    await response.arrayBuffer()
    return response.status
  }
  const write = (written: Written) => {
    replaceFile(path, textOf(written))
  }
  return { cluster, directory, path, daemon, url, ask, write }
}

/** In one step, as the daemon may read it at any moment. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o640 })
  renameSync(`${path}.new`, path)
}

/** The next line with this message that comes after `act`. */
async function after(daemon: Daemon, msg: string, act: () => void): Promise<LogLine> {
  const count = () => daemon.lines().filter((line) => line.msg === msg)
  const seen = count().length
  act()
  for (;;) {
    const line = count()[seen]
    if (line !== undefined) return line
    if (daemon.process.exitCode !== null) throw new Error(`ended without "${msg}"`)
    await Promise.race([once(daemon.process.stdout, 'data'), daemon.exited])
  }
}

const hup = (daemon: Daemon) => () => {
  daemon.process.kill('SIGHUP')
}

t.test('a revoked key is refused from the next request on, others keep working', async (t) => {
  const { daemon, ask, write } = await served(t)
  t.same([await ask('alpha'), await ask('beta')], [200, 200])
  const line = await after(daemon, 'settings reloaded', () => {
    write({ encoders: entry('beta') })
    hup(daemon)()
  })
  t.match(line, { changes: { encodersRemoved: ['alpha'], keysRemoved: ['alpha/k1'] } })
  t.same([await ask('alpha'), await ask('beta')], [401, 200])
  t.notMatch(daemon.stdout, keys.alpha.slice(3, 20))
  t.notMatch(daemon.stdout, digestOf(keys.alpha))
})

t.test('a file that is replaced by rename is noticed without a signal', async (t) => {
  const { daemon, ask, write } = await served(t)
  const line = await after(daemon, 'settings reloaded', () => {
    write({ encoders: { ...entry('alpha', { enabled: false }), ...entry('beta') } })
  })
  t.match(line, { why: 'a file changed', changes: { encodersChanged: ['alpha'] } })
  t.same([await ask('alpha'), await ask('beta')], [401, 200])
})

t.test('so is one behind a symbolic link that is swapped, as config managers do', async (t) => {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const directory = t.testdir({ one: {}, two: {} })
  const text = (name: keyof typeof keys) =>
    JSON.stringify({
      listen: { port: 0 },
      cluster: { endpoints: [{ url: cluster.url }] },
      encoders: entry(name),
    })
  writeFileSync(join(directory, 'one', 'config.json'), text('alpha'))
  writeFileSync(join(directory, 'two', 'config.json'), text('beta'))
  symlinkSync('one', join(directory, 'data'))
  const daemon = run(t, ['serve', '--config', join(directory, 'data', 'config.json')])
  await daemon.logged('listening')
  const line = await after(daemon, 'settings reloaded', () => {
    symlinkSync('two', join(directory, 'data.new'))
    renameSync(join(directory, 'data.new'), join(directory, 'data'))
  })
  t.match(line, { changes: { encodersAdded: ['beta'], encodersRemoved: ['alpha'] } })
})

t.test('a broken file changes nothing and is reported; a repaired one is loaded', async (t) => {
  const { daemon, ask, write, path } = await served(t)
  const line = await after(daemon, 'settings not reloaded: the old ones stay in force', () => {
    writeFileSync(path, '{"listen":{"port":"x"},"encoder":{}}')
    hup(daemon)()
  })
  const problems = line.problems as { path: string }[]
  t.same(problems.map((problem) => problem.path).sort(), ['encoder', 'listen.port'])
  t.equal(await ask('alpha'), 200)
  await after(daemon, 'settings reloaded', () => {
    write({ encoders: entry('alpha') })
    hup(daemon)()
  })
  t.same([await ask('alpha'), await ask('beta')], [200, 401])
})

t.test('settings of the open listener need a restart, and the rest is applied', async (t) => {
  const { daemon, ask, write } = await served(t)
  const line = await after(daemon, 'some settings wait for a restart', () => {
    write({ listen: { port: 1, connectionsMax: 7 }, encoders: entry('beta') })
    hup(daemon)()
  })
  t.same((line.needRestart as string[]).sort(), ['listen.connectionsMax', 'listen.port'])
  t.same([await ask('alpha'), await ask('beta')], [401, 200])
})

t.test('a budget in use survives a reload, and takes a new size immediately', async (t) => {
  const limits = (max: number) => ({ reads: { max } })
  const { daemon, ask, write } = await served(t, { limits: limits(2) })
  t.same([await ask('alpha'), await ask('alpha'), await ask('alpha')], [200, 200, 429])
  const line = await after(daemon, 'settings reloaded', () => {
    write({ limits: limits(4) })
    hup(daemon)()
  })
  t.match(line, { changes: { sections: ['limits'] } })
  t.same([await ask('alpha'), await ask('alpha')], [200, 429], 'three were spent, one is left')
})

t.test(
  'a new cluster is used from then on, and a request in flight ends where it began',
  async (t) => {
    const { cluster, daemon, ask, write } = await served(t)
    const other = await startFakeCluster()
    t.teardown(() => other.close())
    const stalled = cluster.behave({ path: '/id' }, { kind: 'stall' })
    const arrived = cluster.nextRequest()
    const inFlight = ask('alpha')
    await arrived
    await after(daemon, 'settings reloaded', () => {
      write({ cluster: other.url })
      hup(daemon)()
    })
    t.equal(await ask('beta'), 200)
    t.equal(other.requests.length, 1)
    stalled.release()
    t.equal(await inFlight, 200)
    t.equal(cluster.requests.length, 1)
  },
)

t.test('a new certificate is shown to new connections; a bad pair keeps the old', async (t) => {
  const files = t.testdir({ 'cert.pem': certificate.cert, 'key.pem': certificate.key, etc: {} })
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const tls = { certFile: join(files, 'cert.pem'), keyFile: join(files, 'key.pem') }
  const path = join(files, 'etc', 'config.json')
  const config = { listen: { port: 0, tls }, cluster: { endpoints: [{ url: cluster.url }] } }
  writeFileSync(path, JSON.stringify(config))
  const daemon = run(t, ['serve', '--config', path])
  const { port } = new URL(String((await daemon.logged('listening')).url))
  const shown = async () => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return subject.CN
  }
  t.equal(await shown(), 'localhost')
  await after(daemon, 'settings not reloaded: the old ones stay in force', () => {
    replaceFile(tls.certFile, otherCertificate.cert)
    hup(daemon)()
  })
  t.equal(await shown(), 'localhost')
  const line = await after(daemon, 'settings reloaded', () => {
    replaceFile(tls.keyFile, otherCertificate.key)
    hup(daemon)()
  })
  t.match(line, { certificate: 'new' })
  t.equal(await shown(), 'other.localhost')
})

t.test('a new certificate or key alone, of any type, leaves the old pair in use', async (t) => {
  const listen = { tls: { certFile: 'cert.pem', keyFile: 'key.pem' } }
  const files = { 'cert.pem': certificate.cert, 'key.pem': certificate.key }
  const { daemon, url, directory } = await served(t, { listen }, files)
  const tls = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') }
  const notTaken = 'settings not reloaded: the old ones stay in force'
  const shown = async () => {
    const socket = connect({ port: Number(new URL(url).port), rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return subject.CN
  }
  const found = 'a key in key.pem that does not belong to the certificate in cert.pem'
  for (const other of [rsaCertificate, otherCertificate]) {
    const withKey = await after(daemon, notTaken, () => {
      replaceFile(tls.keyFile, other.key)
      hup(daemon)()
    })
    t.match(withKey, { problems: [{ path: 'listen.tls.keyFile', found }] })
    t.equal(await shown(), 'localhost')
    const withCert = await after(daemon, notTaken, () => {
      replaceFile(tls.certFile, other.cert)
      replaceFile(tls.keyFile, certificate.key)
      hup(daemon)()
    })
    t.match(withCert, { problems: [{ path: 'listen.tls.keyFile', found }] })
    t.equal(await shown(), 'localhost')
    await after(daemon, 'settings reloaded', () => {
      replaceFile(tls.certFile, certificate.cert)
      hup(daemon)()
    })
  }
})

t.test('another oldest version of TLS is for new connections', async (t) => {
  const tls = { certFile: 'cert.pem', keyFile: 'key.pem' }
  const files = { 'cert.pem': certificate.cert, 'key.pem': certificate.key }
  const { daemon, url, write } = await served(t, { listen: { tls } }, files)
  const isTaken = async () => {
    const port = Number(new URL(url).port)
    const socket = connect({ port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' })
    const outcome = await Promise.race([
      once(socket, 'secureConnect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    return outcome
  }
  t.equal(await isTaken(), true)
  for (const minVersion of ['TLSv1.3', 'TLSv1.2']) {
    const line = await after(daemon, 'settings reloaded', () => {
      write({ listen: { tls: { ...tls, minVersion } } })
      hup(daemon)()
    })
    t.match(line, { changes: { sections: ['listen.tls'] } })
    t.equal(await isTaken(), minVersion === 'TLSv1.2', minVersion)
  }
})

t.test('a file of the store is watched, and a change of it is named', async (t) => {
  const store = { redis: 'redis://127.0.0.1:1', passwordFile: 'secret' }
  const { daemon, directory } = await served(t, { store }, { secret: 'one' })
  const line = await after(daemon, 'settings reloaded', () => {
    replaceFile(join(directory, 'secret'), 'two')
  })
  t.match(line, { why: 'a file changed', changes: { files: ['store.passwordFile'] } })
})

t.test('the level of the log is live', async (t) => {
  const { daemon, ask, write } = await served(t)
  await after(daemon, 'settings reloaded', () => {
    write({ log: { level: 'warn' } })
    hup(daemon)()
  })
  t.equal(await ask('alpha'), 200)
  await after(daemon, 'settings not reloaded: the old ones stay in force', () => {
    write({ log: { level: 'loud' } })
    hup(daemon)()
  })
  t.notOk(daemon.lines().some((line) => line.msg === 'request'))
})

t.test('SIGUSR2 reopens the log file after it was moved', async (t) => {
  const directory = t.testdir({})
  mkdirSync(join(directory, 'log'))
  const file = join(directory, 'log', 'pinwarden.log')
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const path = join(directory, 'config.json')
  const config = { listen: { port: 0 }, log: { file }, encoders: entry('alpha') }
  writeFileSync(path, JSON.stringify({ ...config, cluster: { endpoints: [{ url: cluster.url }] } }))
  const daemon = run(t, ['serve', '--config', path])
  await waitForFile(file, (text) => text.includes('listening'))
  renameSync(join(directory, 'log'), join(directory, 'away'))
  daemon.process.kill('SIGUSR2')
  const old = join(directory, 'away', 'pinwarden.log')
  await waitForFile(old, (text) => text.includes('the old one stays in use'))
  renameSync(join(directory, 'away'), join(directory, 'log'))
  renameSync(file, `${file}.1`)
  daemon.process.kill('SIGUSR2')
  await waitForFile(file, (text) => text.includes('log reopened'))
  t.notMatch(textOf(`${file}.1`), 'log reopened')
  rmSync(`${file}.1`)
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
  t.match(textOf(file), '"msg":"stopped"')
})

t.test('one edit is reloaded once, and a stopping daemon does not reload', async (t) => {
  const { cluster, daemon, write, ask } = await served(t)
  await after(daemon, 'settings reloaded', () => {
    write({ limits: { reads: { max: 7 } } })
    daemon.process.kill('SIGHUP')
  })
  // A second edit is noticed by its file; by then the first one has also been checked.
  await after(daemon, 'settings reloaded', () => {
    write({ limits: { reads: { max: 8 } } })
  })
  t.equal(daemon.lines().filter(({ msg }) => msg === 'settings reloaded').length, 2)
  // A request in flight keeps the daemon while the signal comes.
  const { promise: until, resolve: release } = Promise.withResolvers<undefined>()
  cluster.behave({ path: '/id' }, { kind: 'hold', until })
  const asked = cluster.nextRequest()
  const answer = ask('alpha')
  await asked
  daemon.process.kill('SIGTERM')
  await daemon.logged('began to stop; requests in flight are finished first')
  daemon.process.kill('SIGHUP')
  release(undefined)
  t.equal(await answer, 200)
  t.same(await daemon.exited, { code: 0, signal: null })
  t.equal(daemon.lines().filter(({ msg }) => msg === 'settings reloaded').length, 2)
})

t.test('signals that come while a reload waits share it', async (t) => {
  const encoders = Object.fromEntries(
    Array.from({ length: 2000 }, (_, n) => [`encoder-${n}`, { role: 'pinner' }]),
  )
  const { daemon, write } = await served(t, { encoders })
  const reloads = () => daemon.lines().filter(({ msg }) => msg === 'settings reloaded')
  for (let count = 0; count < 40; count++) {
    daemon.process.kill('SIGHUP')
    await setTimeout(1)
  }
  // It is last in line.
  await daemon.logged('settings reloaded')
  write({ encoders: entry('beta') })
  while (!JSON.stringify(reloads().at(-1)).includes('keysAdded'))
    await once(daemon.process.stdout, 'data')
  t.ok(reloads().length < 20, `${reloads().length}`)
})

const isRoot = process.geteuid?.() === 0 && 'root may read any file'

t.test(
  'a file that is fixed by changing its permissions is noticed',
  { skip: isRoot },
  async (t) => {
    const { daemon, path } = await served(t)
    await after(daemon, 'settings not reloaded: the old ones stay in force', () => {
      chmodSync(path, 0)
    })
    await after(daemon, 'settings reloaded', () => {
      chmodSync(path, 0o640)
    })
    daemon.process.kill('SIGTERM')
  },
)

t.test(
  'a file that is renamed and renamed back is noticed, and so are its permissions',
  async (t) => {
    const { daemon, path } = await served(t)
    await after(daemon, 'settings not reloaded: the old ones stay in force', () => {
      renameSync(path, `${path}.away`)
    })
    await after(daemon, 'settings reloaded', () => {
      renameSync(`${path}.away`, path)
    })
    await after(daemon, 'settings reloaded', () => {
      chmodSync(path, 0o600)
    })
    daemon.process.kill('SIGTERM')
  },
)
