/** nginx as an authenticating proxy: password file, rate limit, access log, kept connections. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certificate } from '../../support/certificate.js'
import { freePort } from '../sandbox.js'
import { credential, passwordFile, type Scheme } from './passwords.js'
import { type Place, type Program, ready } from './program.js'

export async function startNginx(
  place: Place,
  command: string,
  scheme: Scheme,
  users = 10,
): Promise<Program> {
  const name = `nginx ${scheme}${users === 10 ? '' : `, ${users} users`}`
  const room = place.sandbox.room(name)
  const [port, tlsPort] = [await freePort(), await freePort()]
  writeFileSync(join(room, 'passwords'), passwordFile(scheme, users))
  writeFileSync(join(room, 'cert.pem'), certificate.cert)
  writeFileSync(join(room, 'key.pem'), certificate.key, { mode: 0o600 })
  writeFileSync(join(room, 'nginx.conf'), configOf(room, port, tlsPort, place.upstreamPort))
  const args = ['-p', room, '-e', 'error.log', '-c', 'nginx.conf', '-g', 'daemon off;']
  const child = place.sandbox.spawnProgram(room, command, args)
  return ready(place, room, child, { name, port, tlsPort, credential })
}

/**
 * Buffering is on, as it is by default; without files for what a slow client has not taken, as
 * writing them would cost nginx more.
 */
function configOf(room: string, port: number, tlsPort: number, upstreamPort: number): string {
  // Started by root, its workers would run as a user that may not read the folder.
  const userLine = process.getuid?.() === 0 ? 'user root;' : ''
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((path) => `${path}_temp_path ${room}/${path};`)
    .join(' ')
  return `${userLine}
worker_processes 2;
pid nginx.pid;
events { worker_connections 4096; }
http {
  access_log access.log;
  ${paths}
  keepalive_requests 100000000;
  limit_req_zone $binary_remote_addr zone=each:1m rate=100000r/s;
  upstream cluster {
    server 127.0.0.1:${upstreamPort};
    keepalive 64;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port};
    listen 127.0.0.1:${tlsPort} ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / {
      limit_req zone=each burst=100000 nodelay;
      auth_basic cluster;
      auth_basic_user_file passwords;
      proxy_pass http://cluster;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "";
      proxy_max_temp_file_size 0;
    }
  }
}
`
}
