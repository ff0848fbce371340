/** Caddy as an authenticating proxy; it remembers the passwords that were right. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certificate } from '../../support/certificate.js'
import { freePort } from '../sandbox.js'
import { credential, password, user } from './passwords.js'
import { type Place, type Program, ready } from './program.js'

export async function startCaddy(place: Place, command: string): Promise<Program> {
  const name = 'caddy'
  const room = place.sandbox.room(name)
  const [port, tlsPort] = [await freePort(), await freePort()]
  const hash = execFileSync(command, ['hash-password', '--plaintext', password], {
    encoding: 'utf8',
  }).trim()
  writeFileSync(join(room, 'cert.pem'), certificate.cert)
  writeFileSync(join(room, 'key.pem'), certificate.key, { mode: 0o600 })
  const site = `
  log {
    output file ${join(room, 'access.log')}
  }
  basicauth {
    ${user} ${hash}
  }
  reverse_proxy 127.0.0.1:${place.upstreamPort} {
    transport http {
      keepalive_idle_conns_per_host 64
    }
  }
`
  const config = `{
  admin off
  auto_https off
}
http://127.0.0.1:${port} {${site}}
https://127.0.0.1:${tlsPort} {
  tls ${join(room, 'cert.pem')} ${join(room, 'key.pem')}
${site}}
`
  writeFileSync(join(room, 'Caddyfile'), config)
  const args = ['run', '--adapter', 'caddyfile', '--config', join(room, 'Caddyfile')]
  const child = place.sandbox.spawnProgram(room, command, args)
  return ready(place, room, child, { name, port, tlsPort, credential })
}
