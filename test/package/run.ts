/**
 * `npm run test:package`: builds the Debian package, installs it on this machine, and goes an
 * operator's way with it: to a first pin over TLS, through a day's work, an upgrade under load, and
 * away again. What it cannot do here it says, and ends with 0.
 */
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { table } from '../../src/cli/table.js'
import { askedOf } from '../support/asked.js'
import { certificate, otherCertificate } from '../support/certificate.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { freePort } from '../support/free-port.js'
import { SteadyLoad } from '../support/steady-load.js'
import { obstacle, restore, say } from './host.js'
import { keptOn, measured } from './installed-daemon.js'

const build = fileURLToPath(new URL('../../../deploy/debian/build.sh', import.meta.url))
const [version, next] = ['1.0.0', '1.0.1'] as const
const config = '/etc/pinwarden/config.json'
const [certFile, keyFile] = ['/etc/pinwarden/fullchain.pem', '/etc/pinwarden/privkey.pem']
const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

const rows: string[][] = []

/** One step of the way; whatever is not as it should be ends it all. */
async function step(name: string, work: () => Promise<string | undefined>): Promise<void> {
  const startMs = performance.now()
  const figures = (await work()) ?? ''
  rows.push([name, ((performance.now() - startMs) / 1000).toFixed(1), figures])
}

const reason = obstacle()
if (reason === undefined) await way()
else process.stdout.write(`not tested here: ${reason}\n`)

async function way(): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), 'pinwarden-package-'))
  const cluster = await startFakeCluster()
  try {
    await walk(place, cluster)
  } finally {
    process.stdout.write(table(['STEP', 'SECONDS', ''], rows))
    restore()
    rmSync(place, { recursive: true })
    await cluster.close()
  }
}

async function walk(
  place: string,
  cluster: Awaited<ReturnType<typeof startFakeCluster>>,
): Promise<void> {
  const built = async (out: string, version: string): Promise<string> => {
    await say(build, '--version', version, '--out', join(place, out))
    const architecture = (await say('dpkg', '--print-architecture')).trim()
    return join(place, out, `pinwarden_${version}_${architecture}.deb`)
  }
  let first = ''
  let second = ''
  await step('two builds are the same bytes', async () => {
    first = await built('one', version)
    const again = await built('two', version)
    assert(readFileSync(first).equals(readFileSync(again)), 'two builds differ')
    second = await built('one', next)
    return `${(statSync(first).size / 1e6).toFixed(1)} MB`
  })

  await step('installed', async () => {
    await say('dpkg', '--install', first)
    assert.equal((await say('pinwarden', '--version')).trim(), version)
    const { mode, uid, gid } = statSync('/etc/pinwarden')
    assert.deepEqual([mode & 0o777, uid], [0o750, 0])
    assert.equal(String(gid), (await say('id', '-g', 'pinwarden')).trim())
    assert(existsSync('/usr/lib/systemd/system/pinwarden.service'))
    assert.match(await say('man', '--where', 'pinwarden').catch(() => 'man'), /man/)
    return undefined
  })

  const port = await freePort()
  const origin = `https://127.0.0.1:${port}`
  let key = ''
  await step('pinwarden init', async () => {
    await install(certificate)
    const named = ['--host', '127.0.0.1', '--port', String(port), '--cluster', cluster.url]
    const said = await say('pinwarden', 'init', ...named, '--cert', certFile, '--key', keyFile)
    key = keyIn(said)
    await say('chgrp', 'pinwarden', config)
    return undefined
  })

  await step('one start, and idle', async () => {
    const { readyMs, idleBytes } = await measured()
    return `ready after ${readyMs.toFixed(0)} ms, ${(idleBytes / 1e6).toFixed(1)} MB`
  })

  const kept = await keptOn(port)
  const { daemon } = kept
  /** Resolves with the next one: to be asked for before the change. */
  const reload = () => {
    const before = daemon.lines().filter(({ msg }) => msg === 'settings reloaded').length
    return daemon.logged('settings reloaded', before)
  }
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  const ask = async (method: 'GET' | 'POST', path: string, key: string): Promise<number> => {
    const headers = { authorization: `Basic ${btoa(`encoder-1:${key}`)}` }
    const { statusCode, body } = await request(`${origin}${path}`, { method, headers, dispatcher })
    await body.dump()
    return statusCode
  }

  await step('a first pinned CID over TLS', async () => {
    assert.equal(await ask('POST', `/pins/${cid}`, key), 200)
    assert.equal(askedOf(cluster).at(-1), `POST /pins/${cid}`)
    return undefined
  })

  await step('the status page', async () => {
    const [page, script] = await Promise.all(
      ['', 'page.js'].map(async (path) => {
        const answer = await fetch(`http://127.0.0.1:9099/${path}`)
        assert.equal(answer.status, 200)
        return answer.text()
      }),
    )
    assert.match(page ?? '', /<script type="module" src="page\.js">/)
    assert.ok((script ?? '').length > 10_000)
    return undefined
  })
  await step('the certificate replaced', async () => {
    const before = await serialAt(port)
    let reloaded = reload()
    await install(otherCertificate)
    // Perhaps it saw the new certificate beside the old key, and refused the two.
    for (; (await serialAt(port)) === before; reloaded = reload()) await reloaded
    return undefined
  })

  await step('the key rotated', async () => {
    const reloaded = reload()
    const rotated = keyIn(await say('pinwarden', 'keys', 'rotate', 'encoder-1'))
    await reloaded
    assert.equal(await ask('GET', '/id', rotated), 200)
    assert.equal(await ask('GET', '/id', key), 200, 'the old one is good for a while')
    key = rotated
    return undefined
  })

  await step('the config broken, and repaired', async () => {
    const good = readFileSync(config)
    writeFileSync(config, '{')
    await daemon.logged('settings not reloaded: the old ones stay in force')
    assert.equal(await ask('GET', '/id', key), 200)
    const text = JSON.parse(good.toString()) as object
    const plenty = { max: 1_000_000 }
    const reloaded = reload()
    writeFileSync(config, JSON.stringify({ ...text, limits: { reads: plenty } }))
    await reloaded
    return undefined
  })

  await step('upgraded under load', async () => {
    const load = new SteadyLoad(origin, key)
    await load.answers(500)
    await say('dpkg', '--install', second)
    // With systemd as the first process the package does that itself.
    const { pid } = await daemon.logged('listening')
    process.kill(Number(pid), 'SIGTERM')
    const { version } = await daemon.logged('listening', 1)
    assert.equal(version, next)
    await load.answers(500)
    await load.stop()
    assert.deepEqual(load.failures, [])
    assert.match(readFileSync(config, 'utf8'), /encoder-1/)
    return `${load.answered} requests, 0 lost`
  })
  kept.end()

  await step('removed, purged', async () => {
    await say('dpkg', '--remove', 'pinwarden')
    assert(!existsSync('/usr/bin/pinwarden') && existsSync(config), 'the configuration stays')
    await say('dpkg', '--purge', 'pinwarden')
    assert(!existsSync('/etc/pinwarden') && !existsSync('/etc/logrotate.d/pinwarden'))
    return undefined
  })

  await step('installed again', async () => {
    await say('dpkg', '--install', second)
    assert.equal((await say('pinwarden', '--version')).trim(), next)
    return undefined
  })
}

/** In one step each, readable for the daemon, as a careful script does it. */
async function install({ cert, key }: { readonly cert: string; readonly key: string }) {
  for (const [file, text] of [[certFile, cert] as const, [keyFile, key] as const]) {
    writeFileSync(`${file}.new`, text, { mode: 0o640 })
    await say('chgrp', 'pinwarden', `${file}.new`)
    renameSync(`${file}.new`, file)
  }
}

function keyIn(text: string): string {
  const key = /pw_\w{49}/.exec(text)?.[0]
  assert(key !== undefined, text)
  return key
}

async function serialAt(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}
