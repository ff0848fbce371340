/** The fail2ban filter, held by the real program against lines that a real gate wrote. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { generateKey } from '../../src/settings/keyring/key.js'

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

t.test('so do requests beyond the budget of failures', { skip }, async (t) => {
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

t.test('nor does the owner of a real key that is no longer valid', { skip }, async (t) => {
  const gate = await start(t, {
    encoders: { off: { enabled: false }, away: { from: ['198.51.100.0/24'] } },
  })
  for (const name of ['off', 'away']) {
    const { status } = await gate.ask('GET', '/id', asIf('192.0.2.1', gate.basic(name)))
    t.equal(status, 401, name)
  }
  t.same(await found(t, await gate.logText()), [])
})

/** What a client can put into its line, to have another address banned. */
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

t.test('no client can have another address banned', { skip }, async (t) => {
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

/** With the jail, and with no other one that the machine has. */
function settings(t: Test): string {
  // The path of a socket has to be short.
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-fail2ban-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  cpSync('/etc/fail2ban', directory, { recursive: true })
  rmSync(join(directory, 'jail.d'), { recursive: true })
  mkdirSync(join(directory, 'jail.d'))
  cpSync(filter, join(directory, 'filter.d/pinwarden.conf'))
  cpSync(jail, join(directory, 'jail.d/pinwarden.conf'))
  return directory
}

/** In a network of its own: bans an address, shows the rules, and ends the server. */
const banning = `
set -e
client() { fail2ban-client -c "$1" -s "$1/socket" -p "$1/pid" "\${@:2}"; }
client "$1" --logtarget "$1/log" --syslogsocket auto -b start >/dev/null
trap 'client "$1" stop >/dev/null' EXIT
client "$1" set pinwarden banip ${victim} >/dev/null
until grep -q 'NOTICE.*Ban ${victim}' "$1/log"; do sleep 0.05; done
# Banned is said before the rules are made; the next answer comes after.
client "$1" status pinwarden >/dev/null
until nft list ruleset | grep -q ${victim} || grep -q ERROR "$1/log"; do sleep 0.05; done
cat "$1/log"
nft list ruleset
`
const isolated = await run('unshare', ['-n', 'nft', 'add', 'table', 'inet', 'tried'])
const noBans =
  missing('fail2ban-client', 'nft', 'unshare') ||
  (isolated.code !== 0 && `no nftables in a network of its own: ${isolated.text.trim()}`)

t.test('a ban is a rule of nftables, with no iptables there', { skip: noBans }, async (t) => {
  const directory = settings(t)
  // As for a log file: a container has no journal.
  writeFileSync(join(directory, 'gate.log'), '')
  writeFileSync(
    join(directory, 'jail.d/pinwarden.local'),
    `[pinwarden]\nbackend = auto\nlogpath = ${join(directory, 'gate.log')}\n`,
  )
  const { code, text } = await run('unshare', ['-n', 'bash', '-c', banning, 'bash', directory])
  t.equal(code, 0, text)
  t.notMatch(text, /ERROR/)
  t.match(text, new RegExp(`elements = \\{ ${victim} \\}`))
  t.match(text, /tcp dport 9098 .*(reject|drop)/)
})

t.test('fail2ban accepts the jail', { skip: missing('fail2ban-client') }, async (t) => {
  const { code, text } = await run('fail2ban-client', ['-c', settings(t), '--dp'])
  t.equal(code, 0, text)
  t.match(text, /'add', 'pinwarden', 'systemd'/)
  t.match(text, /'pinwarden', 'maxretry', 40/)
  t.match(text, /'pinwarden', 'addjournalmatch', '_SYSTEMD_UNIT=pinwarden.service'/)
})
