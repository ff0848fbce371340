/**
 * `npm run demo`: the real daemon in front of a fake cluster, encoders at work, and the log
 * as people read it. `-- --quiet` leaves the encoders out; PORT is where plain HTTP is taken.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lineText } from '../../src/log/line-text.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { certificate } from '../support/certificate.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { startDaemon } from './daemon.js'
import { startEncoders } from './encoders.js'
import { DemoError, readOptions } from './options.js'
import { openPlainFront } from './plain-front.js'
import { welcome } from './welcome.js'

try {
  await demo()
} catch (error) {
  if (!(error instanceof DemoError)) throw error
  process.stderr.write(`demo: ${error.message}\n`)
  process.exitCode = error.exitCode
}

async function demo(): Promise<void> {
  const { port, isQuiet } = readOptions(process.argv.slice(2), process.env)
  const stop = Promise.withResolvers<unknown>()
  process.once('SIGINT', stop.resolve).once('SIGTERM', stop.resolve)
  // A reader that leaves early, such as `head`, ends it too.
  process.stdout.on('error', stop.resolve)

  await using parts = new AsyncDisposableStack()
  const front = parts.use(await openPlainFront(port))
  const cluster = await startFakeCluster()
  parts.defer(() => cluster.close())
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-demo-'))
  parts.defer(() => {
    rmSync(directory, { recursive: true })
  })
  const names = ['demo', 'studio-1', 'studio-2', 'studio-3']
  const keys = Object.fromEntries(names.map((name) => [name, generateKey()]))
  const { config, certFile } = writeFiles(directory, cluster.url, keys)
  const daemon = parts.use(await startDaemon(config))
  front.leadTo(daemon.url)

  const { url: tls, admin } = daemon
  const at = { plain: front.url, tls, admin, cluster: cluster.url }
  say(welcome({ ...at, key: keys.demo ?? '', certFile, isQuiet }))
  daemon.onLine((line) => {
    say(lineText(line, process.stdout.isTTY))
  })
  if (!isQuiet) parts.use(startEncoders(tls, keys))
  await Promise.race([stop.promise, daemon.ended])
}

/** The configuration, and the certificate that it names. */
function writeFiles(directory: string, cluster: string, keys: Readonly<Record<string, string>>) {
  const write = (name: string, text: string): string => {
    const file = join(directory, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  const certFile = write('cert.pem', certificate.cert)
  const keyFile = write('key.pem', certificate.key)
  const encoders = Object.entries(keys).map(([name, key]) => {
    const digest = { id: `${name}-1`, sha256: digestOf(key) }
    return [name, { keys: [digest] }] as const
  })
  const config = {
    listen: { host: '127.0.0.1', port: 0, tls: { certFile, keyFile } },
    admin: { port: 0 },
    cluster: { endpoints: [{ url: cluster }] },
    encoders: Object.fromEntries(encoders),
  }
  return { config: write('config.json', JSON.stringify(config)), certFile }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
