/** nginx and Caddy with the files of deploy, each on a port of its own in front of a gate. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { certificate } from '../support/certificate.js'
import { repository } from './staging.js'

export interface Place {
  readonly directory: string
  readonly port: number
  readonly gatePort: number
}

export interface Front {
  /** The file, as it is for this place. */
  readonly config: (place: Place) => string
  readonly file: string
  readonly command: (place: Place) => readonly [string, ...string[]]
  /** The same, only looking at the file. */
  readonly check: (place: Place) => readonly [string, ...string[]]
  /** What it says once it listens. */
  readonly ready: RegExp
}

/** Replaces what must be there, so that a test never runs with something else than it thinks. */
function replaced(text: string, pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the file does not have ${from}`)
    return text.replaceAll(from, to)
  }, text)
}

const deployed = (path: string) => readFileSync(`${repository}deploy/${path}`, 'utf8')
const nginxFlags = ({ directory }: Place) => ['-p', directory, '-e', 'stderr', '-c', 'nginx.conf']
const caddyFlags = ({ directory }: Place) => ['--config', join(directory, 'Caddyfile')]

export const fronts: Readonly<Record<'nginx' | 'caddy', Front>> = {
  nginx: {
    file: 'nginx.conf',
    config: ({ directory, port, gatePort }) => {
      const own = replaced(deployed('nginx/pinwarden.conf'), {
        'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`,
        'listen [::]:443 ssl;': '',
        '127.0.0.1:9098': `127.0.0.1:${gatePort}`,
        '/etc/letsencrypt/live/pins.example.org/': `${directory}/`,
      })
      const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      const temporary = folders.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n')
      const main = `daemon off; pid ${directory}/pid; error_log stderr notice; events {}`
      return `${main}\nhttp {\n${temporary}\n${own}\n}\n`
    },
    command: (place) => ['nginx', ...nginxFlags(place)],
    check: (place) => ['nginx', '-t', ...nginxFlags(place)],
    ready: /start worker processes/,
  },
  caddy: {
    file: 'Caddyfile',
    config: ({ directory, port, gatePort }) =>
      replaced(deployed('caddy/Caddyfile'), {
        '\n{\n': '\n{\n\tadmin off\n\tauto_https disable_redirects\n',
        '\npins.example.org {': `\nhttps://localhost:${port} {
	bind 127.0.0.1
	tls ${directory}/fullchain.pem ${directory}/privkey.pem`,
        '127.0.0.1:9098': `127.0.0.1:${gatePort}`,
      }),
    command: (place) => ['caddy', 'run', '--adapter', 'caddyfile', ...caddyFlags(place)],
    check: (place) => ['caddy', 'validate', '--adapter', 'caddyfile', ...caddyFlags(place)],
    ready: /serving initial configuration/,
  },
}

/** Writes a front's file and the certificate to a place of their own. */
export async function placeOf(t: Test, { config, file }: Front, gatePort: number): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  const place = { directory, port: await freePort(), gatePort }
  writeFileSync(join(directory, 'fullchain.pem'), certificate.cert)
  writeFileSync(join(directory, 'privkey.pem'), certificate.key)
  writeFileSync(join(directory, file), config(place))
  return place
}

/** Runs it until the test is over; resolves once it listens. */
export async function startFront(t: Test, front: Front, gatePort: number): Promise<Place> {
  const place = await placeOf(t, front, gatePort)
  const [program, ...args] = front.command(place)
  const { directory } = place
  const env = { ...process.env, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory }
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await exited
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  while (!front.ready.test(said)) {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${said}`)
    await Promise.race([once(child.stderr, 'data'), exited])
  }
  return place
}

/** Free a moment ago: neither program can be given port 0 and say which it got. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
