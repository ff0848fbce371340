/** nginx and Caddy before the gate, with the files that the operator is given. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { certificate } from '../support/certificate.js'
import { freePort } from '../support/free-port.js'
import { startGate } from '../support/start-gate.js'
import { repository } from './staging.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const name = 'pins.example.org'
/** The proxy is trusted and has 127.0.0.1; who asks has another address. */
const clientAddress = '127.0.0.2'

/** Starts the program, with ports and files for a test in place of the operator's. */
type Front = (place: string, port: number, gatePort: string) => ChildProcess

const nginx: Front = (place, port, gatePort) => {
  const site = readFileSync(`${repository}deploy/nginx/pinwarden.conf`, 'utf8')
    .replace('127.0.0.1:9098', `127.0.0.1:${gatePort}`)
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replaceAll(`/etc/letsencrypt/live/${name}`, place)
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((path) => `${path}_temp_path ${place};`)
    .join(' ')
  const file = join(place, 'nginx.conf')
  writeFileSync(
    file,
    `pid ${place}/pid; error_log stderr; events {} http { access_log off; ${paths} ${site} }`,
  )
  return spawn('nginx', ['-p', place, '-c', file, '-g', 'daemon off; master_process off;'])
}

const caddy: Front = (place, port, gatePort) => {
  const site = readFileSync(`${repository}deploy/caddy/Caddyfile`, 'utf8')
    .replace(
      `${name} {`,
      `${name}:${port} {\n\tbind 127.0.0.1\n\ttls ${place}/fullchain.pem ${place}/privkey.pem`,
    )
    .replace('reverse_proxy 127.0.0.1:9098', `reverse_proxy 127.0.0.1:${gatePort}`)
  const file = join(place, 'Caddyfile')
  writeFileSync(file, `{\n\tadmin off\n\tauto_https off\n}\n${site}`)
  const env = { ...process.env, XDG_DATA_HOME: place, XDG_CONFIG_HOME: place }
  return spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', file], { env })
}

for (const [program, front] of Object.entries({ nginx, caddy })) {
  const isMissing = spawnSync(program, ['-h']).error !== undefined
  const skip = isMissing && `${program} is not installed`

  t.test(`behind ${program} the log has the encoder's address`, { skip }, async (t) => {
    const gate = await startGate(t, { listen: { trustProxy: ['127.0.0.1'] } })
    const port = await started(t, front, new URL(gate.url).port)
    const authorization = gate.basic()

    const pinned = await ask(port, 'POST', `/pins/${cid}`, { authorization })
    t.equal(pinned.status, 200)
    t.match(JSON.parse(pinned.text), { cid })
    t.match(gate.cluster.requests.at(-1), { method: 'POST', target: `/pins/${cid}` })

    const forged = { authorization, 'x-forwarded-for': '203.0.113.9' }
    t.equal((await ask(port, 'GET', '/id', forged)).status, 200)
    const refused = await ask(port, 'GET', '/id', {})
    t.equal(refused.status, 401)
    t.match(JSON.parse(refused.text), { code: 401, message: String }, 'in the shape of the gate')
    t.match((await ask(port, 'GET', '/pins', { authorization })).text, cid)

    const lines = (await gate.logText()).split('\n').filter((line) => line.includes('"request"'))
    t.equal(lines.length, 4)
    for (const line of lines)
      t.equal((JSON.parse(line) as { client: string }).client, clientAddress)
  })
}

async function started(t: Test, front: Front, gatePort: string): Promise<number> {
  const place = mkdtempSync(join(tmpdir(), 'pinwarden-front-'))
  writeFileSync(join(place, 'fullchain.pem'), certificate.cert)
  writeFileSync(join(place, 'privkey.pem'), certificate.key)
  const port = await freePort()
  const child = front(place, port, gatePort)
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
    rmSync(place, { recursive: true })
  })
  while (!(await isOpen(port))) {
    if (child.exitCode !== null) throw new Error(`it ended: ${said}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return port
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (isThere: boolean) => () => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', end(true)).once('error', end(false))
  })

async function ask(port: number, method: string, path: string, headers: Record<string, string>) {
  const options = {
    ...{ host: '127.0.0.1', port, localAddress: clientAddress, method, path },
    ...{ headers: { host: name, ...headers }, servername: name, rejectUnauthorized: false },
  }
  const [answer] = (await once(request(options).end(), 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  return { status: answer.statusCode, text }
}
