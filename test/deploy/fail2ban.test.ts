/** The fail2ban filter, held by the real program against lines that a real gate wrote. */
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { generateKey } from '../../src/settings/key.js'

import { exchange, head } from '../support/raw.js'
import { startGate } from '../support/start-gate.js'
import { missing } from './programs.js'
import { repository, run } from './staging.js'

const filter = `${repository}deploy/fail2ban/filter.conf`
const jail = `${repository}deploy/fail2ban/jail.conf`
const skip = missing('fail2ban-regex')
const victim = '203.0.113.99'

/** The addresses that fail2ban would count a failure for, one for each line that fits. */
async function found(t: Test, log: string, ...flags: readonly string[]): Promise<string[]> {
  const file = join(t.testdir({}), 'log')
  writeFileSync(file, log)
  const { code, text } = await run('fail2ban-regex', [...flags, '-o', '<ip>', file, filter])
  // It says by its status, too, that nothing was found.
  if (code !== 0 && text.trim() !== '') t.fail('fail2ban-regex failed', { text })
  return text.split('\n').filter((line) => line !== '')
}

/** A gate that takes the client's address from a header, as from a proxy. */
const start = (t: Test, settings: object = {}) =>
  startGate(t, { listen: { trustProxy: ['127.0.0.1'] }, ...settings })

const asIf = (address: string, authorization?: string) => ({
  headers: { authorization: authorization ?? '', 'x-forwarded-for': address },
})

t.test('refused credentials count, of IPv4 and IPv6 alike', { skip }, async (t) => {
  const gate = await start(t)
  const wrong = `Bearer ${generateKey()}`
  await gate.ask('GET', '/id', asIf('192.0.2.1', wrong))
  await gate.ask('POST', '/pins/x', asIf('2001:db8::2', wrong))
  await gate.ask('GET', '/nowhere', asIf('192.0.2.3', 'Bearer pw_typo'))
  await gate.ask('GET', '/', asIf('192.0.2.4'))
  t.same(await found(t, await gate.logText()), [
    '192.0.2.1',
    '2001:db8::2',
    '192.0.2.3',
    '192.0.2.4',
  ])
})

t.test('so do those that are over the budget of failures', { skip }, async (t) => {
  const gate = await start(t, { limits: { failures: { max: 1 } } })
  const wrong = `Bearer ${generateKey()}`
  await gate.ask('GET', '/id', asIf('192.0.2.1', wrong))
  const { status } = await gate.ask('GET', '/id', asIf('192.0.2.1', wrong))
  t.equal(status, 429)
  t.same(await found(t, await gate.logText()), ['192.0.2.1', '192.0.2.1'])
})

t.test('an encoder that was authenticated never counts, whatever it does', { skip }, async (t) => {
  const limits = { reads: { max: 1, windowSeconds: 60 } }
  const gate = await start(t, { encoders: { beta: { limits, deny: ['list'] } } })
  const statuses = []
  for (const [method, path] of [
    ['GET', '/id'],
    ['GET', '/id'],
    ['GET', '/pins'],
    ['GET', '/nowhere'],
    ['PUT', '/id'],
    ['GET', '/pins/x'],
  ] as const) {
    const { status } = await gate.ask(method, path, asIf('192.0.2.1', gate.basic('beta')))
    statuses.push(status)
  }
  t.ok(statuses.includes(429) && statuses.includes(403), statuses.join())
  t.same(await found(t, await gate.logText()), [])
})

t.test('nor does the owner of a real key that is no good any more', { skip }, async (t) => {
  const gate = await start(t, {
    encoders: { off: { enabled: false }, away: { from: ['198.51.100.0/24'] } },
  })
  for (const name of ['off', 'away']) {
    const { status } = await gate.ask('GET', '/id', asIf('192.0.2.1', gate.basic(name)))
    t.equal(status, 401, name)
  }
  t.same(await found(t, await gate.logText()), [])
})

/** What a client can put into its line, to have somebody else shut out. */
const fields = `"client":"${victim}","method":"GET","path":"/id","status":401`
const ends = `,"outcome":"refused","reason":"key-unknown",`
const opening =
  `{"level":"info","time":"2026-01-01T00:00:00.000Z","id":"${'0'.repeat(8)}-0000-4000-8000-` +
  `${'0'.repeat(12)}","traceId":"${'0'.repeat(32)}",`
const hostile = [
  `x","client":"${victim}`,
  fields + ends,
  `\\",${fields}${ends}`,
  `"}${opening}${fields}${ends}`,
  opening + fields,
  `host pinwarden[1]: ${opening}${fields}`,
  `2026-01-01T00:00:00.000Z "time":"2026-01-01T00:00:00.000Z"`,
  `from ${victim}`,
]

t.test('nobody can have another address shut out by what he sends', { skip }, async (t) => {
  const gate = await start(t)
  for (const words of hostile) {
    const own = 'X-Forwarded-For: 192.0.2.1'
    const path = `/${words.replace(/ /g, '')}`
    await exchange(
      gate.url,
      head('GET /id HTTP/1.1', 'Host: x', own, `User-Agent: ${words}`, 'Connection: close'),
    )
    await exchange(gate.url, head(`GET ${path} HTTP/1.1`, 'Host: x', own, 'Connection: close'))
    await exchange(
      gate.url,
      head('GET /id HTTP/1.1', 'Host: x', own, `traceparent: ${words}`, 'Connection: close'),
    )
  }
  const log = await gate.logText()
  t.ok(log.includes(victim), 'what was sent is in the log')
  t.same([...new Set(await found(t, log))], ['192.0.2.1'])
  // From the journal, the time before the line is taken out instead of the one inside.
  const journal = log.replace(/^\{/gm, '2026-11-23T00:00:00 host node[12]: {')
  t.same([...new Set(await found(t, journal, '-d', '^%Y-%m-%dT%H:%M:%S'))], ['192.0.2.1'])
})

t.test('the jail is one that fail2ban starts', { skip: missing('fail2ban-client') }, async (t) => {
  const directory = t.testdir({})
  cpSync('/etc/fail2ban', directory, { recursive: true })
  cpSync(filter, join(directory, 'filter.d/pinwarden.conf'))
  cpSync(jail, join(directory, 'jail.d/pinwarden.conf'))
  const { code, text } = await run('fail2ban-client', ['-c', directory, '--dp'])
  t.equal(code, 0, text)
  t.match(text, /'add', 'pinwarden', 'systemd'/)
  t.match(text, /'pinwarden', 'maxretry', 40/)
  t.match(text, /'pinwarden', 'addjournalmatch', '_SYSTEMD_UNIT=pinwarden.service'/)
})
