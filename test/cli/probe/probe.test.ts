/** `pinwarden probe` on an encoder's machine: what works, what does not, and in which words. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { refusalProblem } from '../../../src/cli/probe/answers.js'
import { probe, type ProbeOptions } from '../../../src/cli/probe/probe.js'
import { readEncoderUrl } from '../../../src/cli/probe/encoder-url.js'
import { expiryNote } from '../../../src/cli/probe/tls.js'
import { ProbeSteps } from '../../../src/cli/probe/steps.js'
import { connectTcp } from '../../../src/cli/probe/connectivity.js'
import { UsageError } from '../../../src/cli/report.js'
import { faults, refusals } from '../../../src/gate/refusals.js'
import { generateKey } from '../../../src/settings/keyring/key.js'
import { dayMs } from '../../../src/time/units.js'
import { askedOf } from '../../support/asked.js'
import { certificate, otherCertificate } from '../../support/certificate.js'
import { startGate, type TestGate } from '../../support/start-gate.js'
import { expired, notYetValid } from './untimely.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const wellKnown = 'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn'
/** Of no gate. */
const stranger = generateKey()

type Rest = Partial<ProbeOptions> & { readonly env?: Readonly<Record<string, string>> }

/** Runs it, and looks in whatever it wrote for any key that it was given. */
async function run(t: Test, url: string | undefined, { env = {}, ...rest }: Rest = {}) {
  let text = ''
  const sink = { write: (part: string) => (text += part) }
  const code = await probe({ url, cid: undefined, ...rest }, { stdout: sink, stderr: sink, env })
  const given = `${url ?? ''} ${env.IPFS_CLUSTER_ENDPOINT ?? ''}`
  for (const [key] of given.matchAll(/pw_\w{8,}/g)) {
    const credential = Buffer.from(`alpha:${key}`).toString('base64')
    for (const part of [key, key.slice(0, 10), key.slice(-10), credential])
      t.notOk(text.toLowerCase().includes(part.toLowerCase()), 'no part of the key is shown')
  }
  return { code, text }
}

const withKey = (url: string, key: string, name = 'alpha') => url.replace('//', `//${name}:${key}@`)

const endpointOf = (gate: TestGate, name = 'alpha') =>
  withKey(gate.url, gate.keys[name] ?? '', name)

const asked = (gate: TestGate) => askedOf(gate.cluster)

async function listening(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Some other server than pinwarden. */
async function otherServer(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  t.teardown(() => {
    server.closeAllConnections()
  })
  return withKey(`http://127.0.0.1:${await listening(t, server)}`, stranger)
}

t.test('an unpinned CID is pinned, seen and unpinned again', async (t) => {
  const gate = await startGate(t)
  const { code, text } = await run(t, endpointOf(gate), { cid })
  const timeless = text.replace(/\d+ ms/g, 'N ms').replaceAll(gate.url.slice(7), 'HOST:PORT')
  t.equal(
    timeless,
    [
      'ok    endpoint  http://HOST:PORT as alpha',
      'ok    dns       127.0.0.1 is an address: nothing to look up',
      'ok    tcp       HOST:PORT takes connections (N ms)',
      'ok    id        160TB-SuperNode, version 1.1.4, 1 cluster peer (N ms)',
      `ok    status    ${cid} is not pinned (unpinned) at 160TB-SuperNode (N ms)`,
      'ok    pin       the cluster accepted the pin (N ms)',
      `ok    status    ${cid} is pinned at 160TB-SuperNode (N ms)`,
      `ok    unpin     ${cid} is unpinned again (N ms)`,
      '',
      'all works: alpha at http://HOST:PORT can ask, pin and unpin',
      '',
    ].join('\n'),
  )
  t.equal(code, 0)
  t.same(asked(gate), [
    'GET /id',
    `GET /pins/${cid}`,
    `POST /pins/${cid}`,
    `GET /pins/${cid}`,
    `DELETE /pins/${cid}`,
  ])
  t.notOk(gate.cluster.pins.has(cid))
})

t.test('its requests are those of axios', async (t) => {
  const seen: string[] = []
  const url = await otherServer(t, (request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      const { headers, method = '' } = request
      t.equal(headers.accept, 'application/json, text/plain, */*')
      t.equal(headers['accept-encoding'], 'gzip, compress, deflate, br')
      t.equal(headers.authorization, `Basic ${btoa(`alpha:${stranger}`)}`)
      const { 'content-type': type = '-', 'content-length': length = '-' } = headers
      seen.push(`${method} ${type} ${length} ${body}`)
      const peer_map = { p: { peername: 'p', status: 'unpinned', error: '' } }
      const json = { peername: 'p', version: '1', cluster_peers: ['p'], cid, peer_map }
      response.writeHead(200, { 'content-encoding': 'gzip', 'x-request-id': 'r' })
      response.end(gzipSync(JSON.stringify(json)))
    })
  })
  const { code } = await run(t, url, { cid })
  t.equal(code, 0)
  t.same(seen, [
    'GET - - ',
    'GET - - ',
    'POST application/json 4 null',
    'GET - - ',
    'DELETE application/json - ',
  ])
})

t.test('without a CID it only asks, and says that it did', async (t) => {
  const gate = await startGate(t)
  const env = { IPFS_CLUSTER_ENDPOINT: endpointOf(gate) }
  const { code, text } = await run(t, undefined, { env })
  t.equal(code, 0)
  t.same(asked(gate), ['GET /id', `GET /pins/${wellKnown}`])
  t.match(text, /^all works: alpha at http:\S+ can ask; with a CID, the probe also pins/m)
})

t.test('with the endpoint in the environment, the CID may be the only argument', async (t) => {
  const gate = await startGate(t)
  const env = { IPFS_CLUSTER_ENDPOINT: endpointOf(gate) }
  t.equal((await run(t, cid, { env })).code, 0)
  t.equal(asked(gate).at(-1), `DELETE /pins/${cid}`)
})

t.test('a pinned CID is not touched, whatever its status', async (t) => {
  const gate = await startGate(t)
  for (const status of ['pinned', 'pin_queued', 'pin_error', 'cluster_error'] as const) {
    gate.cluster.reset()
    gate.cluster.addPin(cid)
    gate.cluster.setStatus(cid, status, 'went wrong')
    const { text, code } = await run(t, endpointOf(gate), { cid })
    t.same(asked(gate), ['GET /id', `GET /pins/${cid}`])
    t.match(text, /^skip {2}pin {7}not tried: \w+ is already pinned/m)
    t.match(text, /^skip {2}unpin {5}not tried/m)
    t.ok(gate.cluster.pins.has(cid))
    if (status === 'pinned')
      t.match(text, 'can ask; with a CID that is not pinned yet, the probe also pins')
    if (status.endsWith('error')) {
      t.match(text, `FAIL  status    160TB-SuperNode says ${status}: went wrong`)
      t.match(text, /^ {16}what to do: [^]*\n\n1 of 5 steps failed\n$/m)
    }
    t.equal(code, status.endsWith('error') ? 1 : 0)
  }
})

t.test("the probe reports the peers' status after the pin, and still unpins", async (t) => {
  const gate = await startGate(t)
  gate.cluster.statusOfNewPins = 'pin_error'
  const { code, text } = await run(t, endpointOf(gate), { cid })
  t.equal(code, 1)
  t.match(text, /^FAIL {2}status {4}160TB-SuperNode says pin_error/m)
  t.match(text, /^ok {4}unpin/m)
  t.notOk(gate.cluster.pins.has(cid))
})

t.test('an unknown key: what may be wrong, and where to find the reason', async (t) => {
  const gate = await startGate(t)
  const { code, text } = await run(t, withKey(gate.url, stranger), { cid })
  t.equal(code, 1)
  const { id } = await gate.line()
  t.match(text, `FAIL  id        401, unauthorized: access denied (request id ${id})`)
  t.match(text, `does not say which, but the operator's log does: pinwarden tail --id ${id}`)
  t.match(text, /\n1 of 4 steps failed\n$/)
  t.same(asked(gate), [])
})

t.test('a reader learns which permission it lacks', async (t) => {
  const gate = await startGate(t, { encoders: { viewer: { role: 'reader' } } })
  const { code, text } = await run(t, endpointOf(gate, 'viewer'), { cid })
  t.equal(code, 1)
  t.match(text, /^FAIL {2}pin {7}403, forbidden: .* \(request id [\w-]+\)$/m)
  t.match(text, 'ask the operator for the permission `pin`')
  t.match(text, /^skip {2}unpin {5}nothing was pinned$/m)
})

t.test(
  'a quota that is used up, and a pin that another holds, have their own advice',
  async (t) => {
    const limits = { leases: 1 }
    const gate = await startGate(t, {
      enforcement: 'enforce',
      encoders: { small: { limits }, other: {} },
    })
    const pinAs = (name: string, method = 'POST') =>
      fetch(`${gate.url}/pins/${wellKnown}`, {
        method,
        headers: { authorization: gate.basic(name) },
      })
    t.equal((await pinAs('small')).status, 200)
    const full = await run(t, endpointOf(gate, 'small'), { cid })
    t.equal(full.code, 1)
    t.match(full.text, /^FAIL {2}pin {7}403, .*\n +what to do: .* quota .*`limits\.leases`/m)
    t.notMatch(full.text, 'permission')
    t.equal((await pinAs('other')).status, 200)
    t.equal((await pinAs('small', 'DELETE')).status, 200)
    const held = await run(t, endpointOf(gate, 'small'), { cid: wellKnown })
    t.match(held.text, /^skip {2}pin .* is already pinned/m)
    t.equal((await pinAs('alpha', 'DELETE')).status, 403)
  },
)

t.test('when the unpin is refused, the probe says that the pin remains', async (t) => {
  const gate = await startGate(t, { encoders: { keeper: { deny: ['unpin'] } } })
  const { code, text } = await run(t, endpointOf(gate, 'keeper'), { cid })
  t.equal(code, 1)
  t.match(text, 'ask the operator for the permission `unpin`')
  t.match(text, `FAIL  unpin     the pin of ${cid} has most likely stayed`)
  t.match(text, /\n1 of 8 steps failed\n$/)
  t.ok(gate.cluster.pins.has(cid))
})

t.test('an exhausted budget: how long to wait, and how large it is', async (t) => {
  const gate = await startGate(t, { limits: { reads: { max: 1, windowSeconds: 60 } } })
  const { code, text } = await run(t, endpointOf(gate), { cid })
  t.equal(code, 1)
  t.match(text, /^FAIL {2}status {4}429, rate limit exceeded: 1 reads in 60 s/m)
  t.match(
    text,
    /what to do: wait \d+ s, .* this encoder has 1 reads in 60 s, and 0 of them are left/,
  )
  t.match(text, /^skip {2}pin {7}not tried: it is unknown whether \w+ is pinned/m)
  const failing = await startGate(t, { limits: { failures: { max: 1 } } })
  await run(t, withKey(failing.url, stranger))
  const again = await run(t, withKey(failing.url, stranger))
  t.match(again.text, /429, too many failed attempts[^]*the key is wrong, as a valid key/)
})

t.test('for a cluster that is down, the probe refers to the operator', async (t) => {
  const gate = await startGate(t)
  await gate.cluster.close()
  const { code, text } = await run(t, endpointOf(gate), { cid })
  t.equal(code, 1)
  t.match(text, /^FAIL {2}id {8}502, the cluster cannot be reached \(request id [\w-]+\)$/m)
  t.match(text, 'the cluster behind the gate is down or restarting')
  t.match(text, /\n2 of 5 steps failed\n$/)
})

t.test('the probe waits for a hanging cluster as long as the encoder would', async (t) => {
  const gate = await startGate(t)
  gate.cluster.behave({ path: '/id' }, { kind: 'stall' })
  const { code, text } = await run(t, endpointOf(gate), { timeoutMs: 300 })
  t.equal(code, 1)
  t.match(text, /^FAIL {2}id {8}no answer within 0.3 s$/m)
  t.match(text, /^ok {4}status/m, 'the next one may be answered')
})

t.test('a pin without an answer is unpinned, and may still take effect later', async (t) => {
  const gate = await startGate(t)
  gate.cluster.behave({ method: 'POST' }, { kind: 'reset' })
  const { code, text } = await run(t, endpointOf(gate), { cid })
  t.equal(code, 1)
  t.match(text, /^FAIL {2}pin {7}502, the cluster closed the connection/m)
  t.match(text, /^ok {4}unpin {5}there was nothing to unpin$/m)
  t.match(text, /^note {2}unpin {5}the failed pin may still take effect/m)
  t.equal(asked(gate).at(-1), `DELETE /pins/${cid}`)
})

t.test('a pin and an unpin that hang: the pin may remain', async (t) => {
  const gate = await startGate(t)
  // The gate lets abandoned writes finish: without an answer, its close would wait for them.
  const hanging = gate.cluster.behave({ method: 'POST' }, { kind: 'stall' })
  const too = gate.cluster.behave({ method: 'DELETE' }, { kind: 'stall' })
  const { text } = await run(t, endpointOf(gate), { cid, timeoutMs: 300 })
  hanging.release()
  too.release()
  t.match(text, `FAIL  unpin     the pin of ${cid} may have stayed`)
})

t.test('a Kubo that does not answer is reported, even if /id is answered', async (t) => {
  const gate = await startGate(t)
  gate.cluster.kuboDown = true
  const { code, text } = await run(t, endpointOf(gate))
  t.equal(code, 1)
  t.match(text, /^FAIL {2}id .*1 cluster peer, but its Kubo does not answer: .*refused$/m)
  t.match(text, /^ok {4}status/m, 'the connection works, and the next request is answered')
})

t.test('a redirect is not followed, and explained', async (t) => {
  const url = await otherServer(t, (request, response) => {
    const { authorization = '' } = request.headers
    const sent = Buffer.from(authorization.slice(6), 'base64').toString()
    response.writeHead(301, { location: `https://${sent}@elsewhere.example/id` }).end()
  })
  const { code, text } = await run(t, url, { cid })
  t.equal(code, 1)
  t.match(text, 'FAIL  id        301, a redirect to https://…@elsewhere.example/id')
  t.match(text, 'clients turn a redirected POST into a GET')
})

t.test('pages of other servers are distinguished from answers of a cluster', async (t) => {
  const html = { 'content-type': 'text/html; charset=utf-8', server: 'nginx' }
  const cases: readonly (readonly [number, Record<string, string>, string, RegExp])[] = [
    [200, html, '<html>', /200, but with text\/html of nginx in it instead of a cluster's answer/],
    [200, {}, '{"hello":1}', /200, but with JSON in it that no cluster gives here/],
    [204, {}, '', /204, but with nothing in it/],
    [404, html, '<html>', /404, with text\/html of nginx in it: neither pinwarden's/],
    [502, html, '<html>', /502, with text\/html of nginx[^]*in front of pinwarden cannot reach/],
    [401, {}, '{"code":401,"message":"no"}', /401, no\n[^]*no X-Request-Id, so it is not pinward/],
    [405, {}, '{"code":405,"message":"no"}', /405, no\n[^]*is it pinwarden or a cluster that/],
    [431, {}, '{"code":431,"message":"no"}', /431, no\n[^]*listen\.headerBytesMax/],
    [200, {}, `"${'x'.repeat(2 ** 21)}"`, /200, but with nothing in it/],
  ]
  for (const [status, headers, body, words] of cases) {
    const url = await otherServer(t, (_request, response) => {
      response.writeHead(status, headers).end(body)
    })
    const { code, text } = await run(t, url)
    t.equal(code, 1)
    t.match(text, words)
  }
})

t.test('text from elsewhere neither controls the terminal nor shows the key', async (t) => {
  const url = await otherServer(t, (request, response) => {
    const said = `\u001b[2J\u009b1m\u202e ${request.headers.authorization ?? ''} ${stranger}`
    response.writeHead(400).end(JSON.stringify({ code: 400, message: said }))
  })
  const { text } = await run(t, url)
  t.match(text, /^FAIL {2}id {8}400, \[2J 1m Basic … pw_…$/m)
})

t.test('a truncated answer and an answer that is not HTTP are distinguished', async (t) => {
  const speak = async (bytes: string) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(bytes))
    })
    const url = withKey(`http://127.0.0.1:${await listening(t, server)}`, stranger)
    return (await run(t, url)).text
  }
  t.match(await speak('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{'), 'in the middle of its ans')
  t.match(await speak(''), /closed the connection before it answered \(ECONNRESET\)/)
  for (const bytes of [
    'SSH-2.0-OpenSSH_9.2\r\n',
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n',
  ])
    t.match(await speak(bytes), 'does not speak HTTP/1.1', bytes.slice(0, 60))
  const longHeader = `HTTP/1.1 401 No\r\nX: ${'x'.repeat(40_000)}\r\nContent-Length: 2\r\n\r\n{}`
  t.match(await speak(longHeader), /FAIL {2}id {8}401, /, 'more than Node takes by itself')
  t.match(await speak('HTTP/1.1 101 Switching Protocols\r\n\r\n'), 'FAIL  id ')
})

t.test('over TLS: the version, and how long the certificate is valid', async (t) => {
  const gate = await startGate(t, { tls: true })
  const { code, text } = await run(t, endpointOf(gate), { cid, ca: certificate.cert })
  t.equal(code, 0)
  t.match(text, /^ok {4}tls {7}TLS 1\.3, the certificate is good for \d{5} days$/m)
  t.notOk(gate.cluster.pins.has(cid))
})

t.test('an untrusted certificate: how to make the encoder trust it', async (t) => {
  const gate = await startGate(t, { tls: true })
  const { code, text } = await run(t, endpointOf(gate))
  t.equal(code, 1)
  t.match(text, /^FAIL {2}tls {7}the certificate is self-signed: no authority vouches for it$/m)
  t.match(text, 'NODE_EXTRA_CA_CERTS=')
  t.match(text, /\n1 of 4 steps failed\n$/)
  t.same(gate.lines, [], 'no host got the key')
})

t.test('certificates that are not valid now, or for another name', async (t) => {
  const cases = [
    [expired, /^FAIL {2}tls {7}the certificate expired on 2021-01-01$/m],
    [notYetValid, /^FAIL {2}tls {7}the certificate is not valid before 2120-01-01$/m],
    [otherCertificate, /^FAIL {2}tls .* is not for 127\.0\.0\.1, but for other\.localhost$/m],
  ] as const
  for (const [{ cert, key }, words] of cases) {
    const port = await listening(t, createTlsServer({ cert, key }))
    const url = withKey(`https://127.0.0.1:${port}`, stranger)
    const { code, text } = await run(t, url, { ca: cert })
    t.equal(code, 1)
    t.match(text, words)
    t.equal(text.match(/^FAIL/gm)?.length, 1, 'one fault is said once')
  }
  t.equal(expiryNote(14 * dayMs), undefined)
  t.match(expiryNote(13 * dayMs), 'expires in 13 days')
  t.match(expiryNote(dayMs), 'expires in 1 day:')
})

t.test('http on a TLS port, and https on a plain one', async (t) => {
  const secure = await startGate(t, { tls: true })
  const plainly = await run(t, endpointOf(secure).replace('https:', 'http:'))
  t.equal(plainly.code, 1)
  t.match(plainly.text, /FAIL {2}id +this port expects TLS, .*\n.* write https:\/\/ instead/)
  t.notMatch(plainly.text, 'try again')
  const open = await startGate(t)
  const securely = await run(t, endpointOf(open).replace('http:', 'https:'))
  t.equal(securely.code, 1)
  t.match(securely.text, /^FAIL {2}tls {7}the other side does not speak TLS \(\w+\): most likely/m)
})

t.test('a handshake that is cut or hangs', async (t) => {
  const cutting = createTcpServer((socket) => socket.destroy())
  const silent = createTcpServer((socket) => {
    t.teardown(() => socket.destroy())
  })
  const urlOf = async (server: Server) =>
    withKey(`https://127.0.0.1:${await listening(t, server)}`, stranger)
  t.match((await run(t, await urlOf(cutting))).text, 'the other side broke off the handshake')
  const hanging = await run(t, await urlOf(silent), { timeoutMs: 200 })
  t.match(hanging.text, 'the handshake did not finish within 0.2 s')
})

t.test('a port on which nothing listens, and a name that does not exist', async (t) => {
  const server = createTcpServer()
  const port = await listening(t, server)
  server.close()
  await once(server, 'close')
  const refused = await run(t, withKey(`http://127.0.0.1:${port}`, stranger))
  t.equal(refused.code, 1)
  t.match(refused.text, `FAIL  tcp       nothing listens at 127.0.0.1:${port} (ECONNREFUSED)`)
  t.match(refused.text, /what to do: is the port right[^]*\n1 of 3 steps failed\n$/)

  const nowhere = await run(t, withKey('http://nowhere.invalid:9098', stranger))
  t.equal(nowhere.code, 1)
  t.match(nowhere.text, /^FAIL {2}dns .*nowhere\.invalid/m)
  t.match(nowhere.text, /\((?:ENOTFOUND|EAI_AGAIN|ETIMEDOUT)\)/)
  t.match(nowhere.text, /plain http sends the key unencrypted/)
})

t.test(
  'a host of which only some addresses work is reported, and the probe continues',
  async (t) => {
    const port = await listening(t, createTcpServer())
    const endpoint = readEncoderUrl(withKey(`http://pins.example:${port}`, stranger))
    if (!('base' in endpoint)) throw new Error('it is an endpoint')
    let text = ''
    const steps = new ProbeSteps({ write: (part) => (text += part) }, [])
    t.same(await connectTcp(endpoint, ['127.0.0.2', '127.0.0.1'], 1000, steps), ['127.0.0.1'])
    t.match(text, /^ok {4}tcp {7}127\.0\.0\.1:\d+ takes connections/m)
    t.match(
      text,
      /^note {2}tcp {7}nothing listens at 127\.0\.0\.2:\d+ .*: another address of pins/m,
    )
    t.same(await connectTcp(endpoint, ['127.0.0.2', '127.0.0.3'], 1000, steps), [])
    t.match(text, /^FAIL.* 127\.0\.0\.2:[^]*^FAIL.* 127\.0\.0\.3:/m)
  },
)

t.test('mistakes in the endpoint are reported without a request', async (t) => {
  const typo = stranger.slice(0, 20) + (stranger[20] === 'a' ? 'b' : 'a') + stranger.slice(21)
  const cases: readonly (readonly [string, RegExp])[] = [
    ['pins.example.org:9098', /this is not a URL/],
    [`alpha:${stranger}@host:9098`, /this is not a URL/],
    [stranger, /this is not a URL/],
    [`ftp://alpha:${stranger}@host`, /the scheme ftp is neither https nor http/],
    [`https://alpha:${stranger}@host:port`, /host or port is malformed/],
    ['https://host:9098', /it has no name and key/],
    ['https://alpha@host', /it has a name but no key/],
    ['https://alpha:@host', /it has a name but no key/],
    [`https://${stranger}@host`, /a key but no name: axios would send the key as the name/],
    [`https://:${stranger}@host`, /a key but no name: axios 1\.7\.7 would send neither/],
    [`https://${stranger}:alpha@host`, /name and key are swapped/],
    [`https://Alpha:${stranger}@host`, /cannot be the name of an encoder/],
    [`https://alpha:${typo}@host`, /the key has a typo/],
    [
      `https://alpha:${stranger.slice(0, -3)}@host`,
      /the key is incomplete.*this has 49 characters/,
    ],
    ['https://NAME:KEY@host', /no capitals[^]*the key is incomplete/],
    [`https://al%70ha:${stranger}@host`, /percent-escapes/],
    [`https://alpha:${stranger}@host?x=1`, /a query/],
    [`https://alpha:${stranger}@host/#x`, /a fragment/],
    [`"https://alpha:${stranger}@host"`, /there are quotes around the value/],
    [`https://alpha:${stranger}@host `, /white space around the value/],
    [`IPFS_CLUSTER_ENDPOINT=https://alpha:${stranger}@host`, /name is part of the value/],
  ]
  for (const [url, words] of cases) {
    const { code, text } = await run(t, url)
    t.equal(code, 2, 'as other wrong usage')
    t.match(text, words)
    t.match(text, /^FAIL {2}endpoint .*\n {16}what to do: /)
    t.match(text, /\n\n1 of 1 step failed\n$/)
  }
})

t.test('paths and slashes are as the encoder would have them', async (t) => {
  const gate = await startGate(t)
  const slash = await run(t, `${endpointOf(gate)}/`)
  t.equal(slash.code, 0)
  t.match(slash.text, /^note {2}endpoint {2}the trailing slash is harmless/m)
  const path = await run(t, `${endpointOf(gate)}/api`)
  t.equal(path.code, 1)
  t.match(path.text, /^note {2}endpoint {2}it has a path: .* requests \/api\/id$/m)
  t.match(path.text, /^FAIL {2}id {8}404, not found/m)
  t.match(path.text, 'is there a path in the endpoint that does not belong there?')
  t.match(readEncoderUrl(withKey('https://[::1]', stranger)), { host: '::1', port: 443 })
})

t.test('variables that change how the encoder connects are noted', async (t) => {
  const gate = await startGate(t)
  const proxied = await run(t, endpointOf(gate), {
    env: { HTTP_PROXY: 'http://secret@proxy', USE_CLUSTER_FOR_PINS: 'True' },
  })
  t.equal(proxied.code, 0)
  t.match(proxied.text, /^note {2}env {7}HTTP_PROXY is set: axios would go through that proxy/m)
  t.match(proxied.text, /^note {2}env {7}USE_CLUSTER_FOR_PINS is not exactly `true`/m)
  t.notMatch(proxied.text, 'secret')
  for (const NO_PROXY of ['127.0.0.1', 'a.b, 127.0.0.1', '*', '.0.0.1', `127.0.0.1:${gate.port}`]) {
    const env = { http_proxy: 'http://proxy', NO_PROXY }
    t.notMatch((await run(t, endpointOf(gate), { env })).text, 'proxy')
  }
  const env = { all_proxy: 'http://proxy', no_proxy: 'other, 127.0.0.1:1', HTTPS_PROXY: 'x' }
  t.match((await run(t, endpointOf(gate), { env })).text, 'all_proxy is set')
})

t.test('the key does not stay in the list of processes', async (t) => {
  process.title = 'before'
  await run(t, 'https://alpha@host')
  t.equal(process.title, 'pinwarden probe')
})

t.test('a missing endpoint, or a malformed CID, is wrong usage', async (t) => {
  const IPFS_CLUSTER_ENDPOINT = withKey('https://host', stranger)
  await t.rejects(run(t, undefined), UsageError)
  await t.rejects(run(t, undefined, { env: { IPFS_CLUSTER_ENDPOINT: '' } }), UsageError)
  await t.rejects(run(t, cid), UsageError)
  await t.rejects(run(t, IPFS_CLUSTER_ENDPOINT, { cid: 'nonsense' }), UsageError)
})

t.test('the cluster itself is distinguished from a gate: it needs no key', async (t) => {
  const gate = await startGate(t)
  const { code, text } = await run(t, withKey(gate.cluster.url, stranger), { cid })
  t.equal(code, 1)
  t.match(text, /FAIL {2}id +this is the cluster itself, without pinwarden in front/)
  t.notOk(gate.cluster.pins.has(cid), 'nothing is pinned there')
  const id = { peername: 'peer', version: '1.1.4', cluster_peers: ['p'] }
  const guarded = await otherServer(t, (request, response) => {
    const isKnown = request.headers.authorization !== undefined
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify(isKnown ? id : { code: 401, message: 'Unauthorized' }))
  })
  const doubted = await run(t, guarded)
  t.match(doubted.text, /^note {2}id +the answer has no X-Request-Id/m, 'with a password too')
})

t.test('each answer of the gate has advice of its own, by its sentence', async (t) => {
  const help = (reason: keyof typeof refusals | keyof typeof faults) => {
    const { status, message } = { ...refusals, ...faults }[reason]
    const answer = {
      status,
      headers: { 'x-request-id': 'r1' },
      json: { code: status, message },
      ms: 1,
    }
    return refusalProblem(answer, 'pin')?.help ?? ''
  }
  const cases = {
    'not-permitted': /permission `pin`/,
    'not-owner': /another encoder holds this pin.*pinwarden pins show/,
    'too-many-leases': /limits\.leases/,
    'too-many-unfinished': /limits\.unfinished/,
    'option-not-granted': /`options`/,
    'cluster-auth': /what is behind the gate does not answer like a cluster/,
    'cluster-down': /ipfs-cluster runs/,
    'ledger-unavailable': /disk/,
    'too-many-in-flight': /limits\.inFlight/,
  } as const
  for (const [reason, words] of Object.entries(cases)) {
    const said = help(reason as keyof typeof cases)
    t.match(said, words, reason)
    t.match(said, /pinwarden tail --id r1$/)
  }
})
