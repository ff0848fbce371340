/** HAProxy with a list of users whose passwords are plain: what is left is to find the user. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../sandbox.js'
import { credential, names, password, user } from './passwords.js'
import { type Place, type Program, ready } from './program.js'

export async function startHaproxy(place: Place, command: string, users: number): Promise<Program> {
  const name = `haproxy, ${users} users`
  const room = place.sandbox.room(name)
  const port = await freePort()
  const list = names(users)
    .map((each) => `  user ${each} insecure-password ${each === user ? password : each}\n`)
    .join('')
  const config = `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
userlist encoders
${list}
frontend public
  bind 127.0.0.1:${port}
  http-request auth unless { http_auth(encoders) }
  default_backend cluster
backend cluster
  http-reuse always
  server only 127.0.0.1:${place.upstreamPort}
`
  writeFileSync(join(room, 'haproxy.cfg'), config)
  const child = place.sandbox.spawnProgram(room, command, ['-db', '-f', join(room, 'haproxy.cfg')])
  return ready(place, room, child, { name, port, tlsPort: 0, credential })
}
