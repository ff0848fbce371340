/** An operator's day with the installed package: to a first pin over TLS, and through changes. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { Agent, request } from 'undici'
import { askedOf } from '../support/asked.js'
import { certificate, otherCertificate } from '../support/certificate.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { freePort } from '../support/free-port.js'
import { SteadyLoad } from '../support/steady-load.js'
import { type Built, next, version } from './build.js'
import { say } from './host.js'
import { keptOn, measured } from './installed-daemon.js'
import type { Steps } from './steps.js'

const config = '/etc/pinwarden/config.json'
const [certFile, keyFile] = ['/etc/pinwarden/fullchain.pem', '/etc/pinwarden/privkey.pem']
const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

/** From nothing to the new version, which is installed in the end. */
export async function daySteps(steps: Steps, { first, second }: Built): Promise<void> {
  const cluster = await startFakeCluster()
  steps.teardown(() => cluster.close())

  await steps.step('installed', async () => {
    await say('dpkg', '--install', first)
    assert.equal((await say('pinwarden', '--version')).trim(), version)
    const { mode, uid, gid } = statSync('/etc/pinwarden')
    assert.deepEqual([mode & 0o777, uid], [0o750, 0])
    assert.equal(String(gid), (await say('id', '-g', 'pinwarden')).trim())
    assert(existsSync('/usr/lib/systemd/system/pinwarden.service'))
    assert.match(await say('man', '--where', 'pinwarden').catch(() => 'man'), /man/)
    return ''
  })

  const port = await freePort()
  const origin = `https://127.0.0.1:${port}`
  let key = ''
  await steps.step('pinwarden init', async () => {
    await install(certificate)
    const named = ['--host', '127.0.0.1', '--port', String(port), '--cluster', cluster.url]
    const said = await say('pinwarden', 'init', ...named, '--cert', certFile, '--key', keyFile)
    key = keyIn(said)
    await say('chgrp', 'pinwarden', config)
    return ''
  })

  await steps.step('one start, and idle', async () => {
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

  await steps.step('a first pinned CID over TLS', async () => {
    assert.equal(await ask('POST', `/pins/${cid}`, key), 200)
    assert.equal(askedOf(cluster).at(-1), `POST /pins/${cid}`)
    return ''
  })

  await steps.step('the status page', async () => {
    const [page, script] = await Promise.all(
      ['', 'page.js'].map(async (path) => {
        const answer = await fetch(`http://127.0.0.1:9099/${path}`)
        assert.equal(answer.status, 200)
        return answer.text()
      }),
    )
    assert.match(page ?? '', /<script type="module" src="page\.js">/)
    assert.ok((script ?? '').length > 10_000)
    return ''
  })
  await steps.step('the certificate replaced', async () => {
    const before = await serialAt(port)
    let reloaded = reload()
    await install(otherCertificate)
    // Perhaps it saw the new certificate beside the old key, and refused the two.
    for (; (await serialAt(port)) === before; reloaded = reload()) await reloaded
    return ''
  })

  await steps.step('the key rotated', async () => {
    const reloaded = reload()
    const rotated = keyIn(await say('pinwarden', 'keys', 'rotate', 'encoder-1'))
    await reloaded
    assert.equal(await ask('GET', '/id', rotated), 200)
    assert.equal(await ask('GET', '/id', key), 200, 'the old one is good for a while')
    key = rotated
    return ''
  })

  await steps.step('the config broken, and repaired', async () => {
    const good = readFileSync(config)
    writeFileSync(config, '{')
    await daemon.logged('settings not reloaded: the old ones stay in force')
    assert.equal(await ask('GET', '/id', key), 200)
    const text = JSON.parse(good.toString()) as object
    const plenty = { max: 1_000_000 }
    const reloaded = reload()
    writeFileSync(config, JSON.stringify({ ...text, limits: { reads: plenty } }))
    await reloaded
    return ''
  })

  await steps.step('upgraded under load', async () => {
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
