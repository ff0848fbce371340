/** TLS as docs/quickstart.md proposes it: certbot's hook under a running daemon, and a private authority. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { certificate, otherCertificate } from '../support/certificate.js'
import { startDaemon } from '../support/daemon.js'
import { missing } from './programs.js'
import { repository, run } from './staging.js'

const hook = `${repository}deploy/certbot/deploy-hook.sh`
const noOpenssl = missing('openssl')

/** Not the test's own folder, which the daemon's config has to itself. */
function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  mkdirSync(join(directory, 'live'))
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

interface Pair {
  readonly cert: string
  readonly key: string
}

/** Runs the hook as certbot does, with a pair that it "got". */
function deploy(directory: string, { cert, key }: Pair) {
  writeFileSync(join(directory, 'live/fullchain.pem'), cert)
  writeFileSync(join(directory, 'live/privkey.pem'), key, { mode: 0o600 })
  return run('env', [
    `RENEWED_LINEAGE=${join(directory, 'live')}`,
    `PINWARDEN_TLS=${join(directory, 'tls')}`,
    `PINWARDEN_GROUP=${process.getgid?.() ?? ''}`,
    hook,
  ])
}

const listening = (directory: string) => ({
  host: '127.0.0.1',
  port: 0,
  tls: {
    certFile: join(directory, 'tls/current/fullchain.pem'),
    keyFile: join(directory, 'tls/current/privkey.pem'),
  },
})

async function nameServed(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}

t.test('a renewed certificate is served without a restart', { skip: noOpenssl }, async (t) => {
  const directory = folder(t)
  t.same(await deploy(directory, certificate), { code: 0, text: '' })
  const { daemon, url } = await startDaemon(t, { listen: listening(directory) })
  t.equal(await nameServed(url), 'localhost')
  // Many times over, so that the daemon reads while the pair is being replaced.
  for (let i = 0; i < 20; i++) {
    await deploy(directory, i % 2 === 0 ? otherCertificate : certificate)
  }
  t.same(await deploy(directory, otherCertificate), { code: 0, text: '' })
  while ((await nameServed(url)) !== 'other.localhost') await once(daemon.process.stdout, 'data')
  const refused = daemon.lines().filter(({ msg }) => msg.startsWith('settings not reloaded'))
  t.same(refused, [], 'no reload met a pair that does not match')
})

t.test(
  'key and certificate are for the group, and no copies pile up',
  { skip: noOpenssl },
  async (t) => {
    const directory = folder(t)
    for (const pair of [certificate, otherCertificate, certificate, otherCertificate]) {
      t.match(await deploy(directory, pair), { code: 0 })
    }
    const modeOf = (path: string) => (statSync(join(directory, path)).mode & 0o777).toString(8)
    t.equal(modeOf('tls'), '750')
    t.equal(modeOf('tls/current/'), '750')
    t.equal(modeOf('tls/current/privkey.pem'), '640')
    t.equal(modeOf('tls/current/fullchain.pem'), '640')
    t.equal(readdirSync(join(directory, 'tls')).length, 3, 'the link, the pair, the one before')
  },
)

t.test(
  'a pair that does not match is refused, and the old one stays',
  { skip: noOpenssl },
  async (t) => {
    const directory = folder(t)
    await deploy(directory, certificate)
    const wrong = { cert: certificate.cert, key: otherCertificate.key }
    t.match(await deploy(directory, wrong), { code: 1, text: /does not belong to the certificate/ })
    t.match(await deploy(directory, { cert: 'x', key: certificate.key }), { code: 1 })
    const served = readFileSync(join(directory, 'tls/current/privkey.pem'), 'utf8')
    t.equal(served, certificate.key)
    t.equal(readdirSync(join(directory, 'tls')).length, 2, 'nothing is left of the attempts')
  },
)

t.test(
  'shellcheck has nothing to say about the hook',
  { skip: missing('shellcheck') },
  async (t) => {
    t.same(await run('shellcheck', [hook]), { code: 0, text: '' })
  },
)

t.test(
  'an authority made as the docs say is one that encoders can trust',
  { skip: noOpenssl },
  async (t) => {
    const page = readFileSync(`${repository}docs/quickstart.md`, 'utf8')
    const [block = ''] = /^openssl req -x509[^]*?(?=^```)/m.exec(page) ?? []
    const commands = block.replaceAll('203.0.113.10', '127.0.0.1')
    t.ok(commands.includes('127.0.0.1'))
    const directory = folder(t)
    const made = await run('sh', ['-euc', `cd '${directory}'\n${commands}`])
    t.equal(made.code, 0, 'openssl makes it', { text: made.text })
    const { url } = await startDaemon(t, {
      listen: {
        host: '127.0.0.1',
        port: 0,
        tls: {
          certFile: join(directory, 'fullchain.pem'),
          keyFile: join(directory, 'privkey.pem'),
        },
      },
    })
    const outcome = '(answer) => answer.status, (error) => error.cause.code'
    const ask = `fetch('${url}/id').then(${outcome}).then(console.log)`
    const node = (...env: string[]) => run('env', [...env, process.execPath, '-e', ask])
    t.same(await node(`NODE_EXTRA_CA_CERTS=${join(directory, 'ca.pem')}`), {
      code: 0,
      text: '401\n',
    })
    t.match(await node(), { text: /^UNABLE_TO_VERIFY_LEAF_SIGNATURE/ }, 'and others do not')
  },
)
