/** nginx and Caddy in front of a gate: encoders notice nothing of them, and the gate sees who asks. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import t, { type Test } from 'tap'
import { generatedCid } from '../support/fake-cluster/index.js'
import { certificate } from '../support/certificate.js'
import { startGate } from '../support/start-gate.js'
import { fronts, placeOf, startFront } from './fronts.js'
import { missing } from './programs.js'
import { run } from './staging.js'

/** Clients come from an address that the gate does not trust, as those of the world do. */
const client = '127.0.0.2'
const skipOf = (program: string) =>
  missing(program) ||
  (process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8 without further ado')
const cid = generatedCid(1)

for (const [program, front] of Object.entries(fronts)) {
  const skip = skipOf(program)
  const start = async (t: Test, overrides: object = {}) => {
    const gate = await startGate(t, { listen: { trustProxy: ['127.0.0.1'] }, ...overrides })
    const { port } = await startFront(t, front, gate.port)
    const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
      const sent = request({
        ...{ host: '127.0.0.1', port, localAddress: client, agent: false },
        ...{ servername: 'localhost', ca: certificate.cert, method, path },
        headers: { authorization: gate.basic(), host: 'localhost', ...headers },
      }).end()
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      return answer
    }
    return { gate, ask }
  }

  t.test(`${program} finds no fault with its file`, { skip }, async (t) => {
    const place = await placeOf(t, front, 9098)
    const [command, ...args] = front.check(place)
    const { code, text } = await run(command, args)
    t.equal(code, 0, text)
    // What this test itself makes different: a self-signed certificate, no port 80.
    t.notMatch(
      text.replace(/^.*(stapling OCSP|redirects are disabled).*$/gm, ''),
      /\[warn\]|"level":"warn"/,
    )
  })

  t.test(
    `a pin goes through ${program}, and the log has its client's address`,
    { skip },
    async (t) => {
      const { gate, ask } = await start(t)
      const answer = await ask('POST', `/pins/${cid}`)
      t.equal(answer.statusCode, 200)
      t.match(JSON.parse(await textOf(answer)), { cid })
      t.ok(gate.cluster.pins.has(cid))
      t.match(await gate.line(), { client, encoder: 'alpha', status: 200 })
    },
  )

  t.test(
    `an address that a client claims for itself is dropped by ${program}`,
    { skip },
    async (t) => {
      const { gate, ask } = await start(t)
      for (const name of ['x-forwarded-for', 'X-FORWARDED-FOR', 'forwarded', 'x-real-ip']) {
        await textOf(await ask('GET', '/id', { [name]: '203.0.113.99' }))
      }
      await textOf(await ask('GET', '/id', { 'x-forwarded-for': '127.0.0.1, 203.0.113.99' }))
      t.same(new Set(gate.lines.map((line) => line.client)), new Set([client]))
      t.equal(gate.lines.length, 5)
    },
  )

  t.test(`refusals pass through ${program} unchanged`, { skip }, async (t) => {
    const { gate, ask } = await start(t, { limits: { failures: { max: 1 } } })
    const wrong = { authorization: 'Bearer x' }
    const first = await ask('GET', '/id', wrong)
    t.equal(first.statusCode, 401)
    t.match(first.headers['www-authenticate'], /pinwarden/)
    t.match(JSON.parse(await textOf(first)), { code: 401, message: String })
    const second = await ask('GET', '/id', wrong)
    t.equal(second.statusCode, 429)
    t.ok(Number(second.headers['retry-after']) > 0)
    t.match(JSON.parse(await textOf(second)), { code: 429, message: String })
    t.equal(second.headers['x-request-id'], gate.lines[1]?.id)
  })

  t.test(`${program} leaves paths unchanged, for the gate to check`, { skip }, async (t) => {
    const { gate, ask } = await start(t)
    const paths = ['//id/', '/pins/a%2Fb', '/%70ins/x', '/pins/%0a', '/pins/..%2fid']
    for (const path of paths) await textOf(await ask('GET', path))
    t.same(
      gate.lines.map((line) => line.path),
      paths,
    )
  })

  t.test(`a listing flows through ${program} line by line`, { skip }, async (t) => {
    const { gate, ask } = await start(t)
    const listing = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
    listing.write('{"n":1}\n')
    const answer = await ask('GET', '/pins')
    const [first] = (await once(answer, 'data')) as [Buffer]
    t.equal(first.toString(), '{"n":1}\n', 'while the cluster has not ended')
    listing.write('{"n":2}\n')
    listing.end()
    t.equal(await textOf(answer), '{"n":2}\n')
    t.ok(answer.complete)
  })

  t.test(
    `a listing that the cluster breaks off never looks complete behind ${program}`,
    { skip },
    async (t) => {
      const { gate, ask } = await start(t)
      for (const path of ['/pins', '//pins/']) {
        const listing = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
        listing.write('{"n":1}\n')
        const answer = await ask('GET', path)
        await once(answer, 'readable')
        listing.end('boom')
        const whole = await textOf(answer).catch(() => undefined)
        const isTold = whole === undefined || answer.trailers['x-stream-error'] === 'boom'
        t.ok(isTold, `${path}: cut, or told in the trailer`)
        listing()
      }
    },
  )

  t.test(
    `while the gate is down, ${program} says so in the cluster's shape`,
    { skip },
    async (t) => {
      const { gate, ask } = await start(t)
      await gate.close()
      const answer = await ask('POST', `/pins/${cid}`)
      t.equal(answer.statusCode, 502)
      t.match(answer.headers['content-type'], 'application/json')
      t.match(JSON.parse(await textOf(answer)), { code: 502, message: String })
    },
  )
}

/** Rejects when the answer is cut. */
async function textOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  return text
}
