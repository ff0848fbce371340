/** The log as a person reads it: laid out, filtered, followed. */
import { appendFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import { pinwarden, pinwardenWith } from '../../support/pinwarden.js'
import { bin } from '../../support/daemon.js'
import { startGate } from '../../support/start-gate.js'

const line = (fields: object): string =>
  JSON.stringify({
    ...{ level: 'info', time: '2026-11-23T03:04:05.678Z', id: 'x', encoder: 'alpha' },
    ...{ client: '192.0.2.7', method: 'GET', path: '/id', status: 200, outcome: 'answered' },
    ...{ bytesIn: 10, bytesOut: 20, durationMs: 12.34, ...fields },
  })

const lines = [
  line({ upstreamMs: 9.87 }),
  line({ encoder: undefined, status: 401, outcome: 'refused', reason: 'no-credential' }),
  line({
    encoder: 'beta',
    status: 429,
    outcome: 'refused',
    reason: 'rate-limited',
    durationMs: 0.2,
  }),
  line({ status: 504, outcome: 'fault', reason: 'cluster-timeout', durationMs: 25_001 }),
  JSON.stringify({
    level: 'warn',
    time: '2026-11-23T03:04:06.000Z',
    config: 'c',
    msg: 'no encoders',
  }),
  'not a line of ours',
]

const logOf = (t: Test, text: string): string => join(t.testdir({ log: text }), 'log')
const whole = `${lines.join('\n')}\n`

t.test('a request is one line with who, what, how it ended, how long and from where', async (t) => {
  const { code, stdout } = await pinwarden('tail', logOf(t, whole))
  t.equal(code, 0)
  t.same(stdout.split('\n'), [
    '2026-11-23T03:04:05Z alpha        GET /id 200 answered 12 ms, cluster 9.9 ms, from 192.0.2.7',
    '2026-11-23T03:04:05Z -            GET /id 401 refused no-credential 12 ms, from 192.0.2.7',
    '2026-11-23T03:04:05Z beta         GET /id 429 refused rate-limited 0.2 ms, from 192.0.2.7',
    '2026-11-23T03:04:05Z alpha        GET /id 504 fault cluster-timeout 25.0 s, from 192.0.2.7',
    '2026-11-23T03:04:06Z warn         no encoders config=c',
    'not a line of ours',
    '',
  ])
})

t.test('what the gate logs can be read', async (t) => {
  const gate = await startGate(t)
  await gate.ask('GET', '/id')
  await gate.ask('GET', '/nothing')
  const { stdout } = await pinwarden('tail', logOf(t, await gate.logText()))
  t.match(
    stdout,
    /^\S+Z alpha {8}GET \/id 200 answered \S+ ms, cluster \S+ ms, from 127\.0\.0\.1$/m,
  )
  t.match(stdout, /^\S+Z alpha {8}GET \/nothing 404 refused unknown-route /m)
})

t.test('filters keep the requests that fit all of them', async (t) => {
  const log = logOf(t, whole)
  const cases: readonly (readonly [args: string[], statuses: string[]])[] = [
    [
      ['--encoder', 'alpha'],
      ['200', '504'],
    ],
    [['--encoder', '-'], ['401']],
    [
      ['--outcome', 'refused'],
      ['401', '429'],
    ],
    [
      ['--status', '4xx'],
      ['401', '429'],
    ],
    [['--status', '429'], ['429']],
    [
      ['--status', '402-599'],
      ['429', '504'],
    ],
    [['--status', '4xx', '--encoder', 'beta', '--outcome', 'refused'], ['429']],
    [['--status', '2xx', '--encoder', 'beta'], []],
    [['--status', '4xx', '-n', '1'], ['429']],
    [['-n', '0'], []],
  ]
  for (const [args, statuses] of cases) {
    const { stdout } = await pinwarden('tail', log, '--json', ...args)
    const shown = stdout.split('\n').filter((text) => text !== '')
    const found = shown.map((text) => String((JSON.parse(text) as { status: number }).status))
    t.same(found, statuses, args.join(' '))
  }
})

t.test('a filter or number that makes no sense is wrong usage', async (t) => {
  const log = logOf(t, whole)
  const cases: readonly (readonly [args: string[], message: RegExp])[] = [
    [['--outcome', 'fine'], /--outcome fine is none\nhint: answered, journaled, refused/],
    [['--status', '99'], /--status 99 is none\nhint: 429, 4xx/],
    [['--lines', 'all'], /--lines all is no number/],
  ]
  for (const [args, message] of cases)
    t.match(await pinwarden('tail', log, ...args), { code: 2, stdout: '', stderr: message })
})

t.test('the last lines are found from the end, whatever the length of the file', async (t) => {
  const many = Array.from({ length: 5000 }, (_, index) => line({ path: `/pins/ä${index}` }))
  const log = logOf(t, `${many.join('\n')}\nhalf a li`)
  for (const count of [1, 20, 300, 4999, 5000, 6000]) {
    const { stdout } = await pinwarden('tail', log, '--json', '-n', String(count))
    t.equal(stdout, `${many.slice(-count).join('\n')}\n`, String(count))
  }
  const { stdout } = await pinwarden('tail', log, '--json', '-n', '2', '--status', '200')
  t.equal(stdout, `${many.slice(-2).join('\n')}\n`)
  for (const text of ['', 'no line end', '\n', '\n\n'])
    t.match(await pinwarden('tail', logOf(t, text)), { code: 0 }, JSON.stringify(text))
})

t.test('colours are for terminals that want them', async (t) => {
  const log = logOf(t, whole)
  const hasColor = async (stream: Parameters<typeof pinwardenWith>[0], ...args: string[]) =>
    (await pinwardenWith(stream, 'tail', log, ...args)).stdout.includes('\u001b[')
  t.equal(await hasColor({}), false)
  t.equal(await hasColor({ isTTY: true }), true)
  t.equal(await hasColor({ isTTY: true, env: { NO_COLOR: '1' } }), false)
  t.equal(await hasColor({ isTTY: true, env: { TERM: 'dumb' } }), false)
  t.equal(await hasColor({ isTTY: true }, '--no-color'), false)
  t.equal(await hasColor({}, '--color'), true)
})

t.test('what a client sent cannot move the cursor', async (t) => {
  const evil = '\u001b]0;title\u0007\u009b2J\u202e'
  const log = logOf(t, `${line({ path: evil })}\n${evil}\n{"msg":${JSON.stringify(evil)}}\n`)
  const { stdout } = await pinwarden('tail', log)
  t.notMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  t.match(stdout, '\\u001b]0;title\\u0007')
})

t.test('standard input is read as it comes', async (t) => {
  const halves = [whole.slice(0, 150), whole.slice(150)].map((text) => Buffer.from(text))
  const { stdout } = await pinwardenWith(
    {
      stdin: (async function* () {
        yield* halves
      })(),
    },
    ...['tail', '-', '--json'],
  )
  t.equal(stdout, whole)
})

t.test('without a file it is the one of the configuration, if it names one', async (t) => {
  const dir = t.testdir({
    'config.json': '{ "log": { "file": "log" } }',
    log: whole,
    'none.json': '{}',
  })
  const { stdout } = await pinwarden('tail', '--json', '-n', '1', '-c', join(dir, 'config.json'))
  t.equal(stdout, 'not a line of ours\n')
  t.match(await pinwarden('tail', '-c', join(dir, 'none.json')), {
    code: 1,
    stderr: /names no log file.*\nhint: under systemd: journalctl -u pinwarden -o cat -f/,
  })
  t.match(await pinwarden('tail', join(dir, 'nowhere')), { code: 1, stderr: /ENOENT/ })
})

t.test('following goes on through growth, rotation and truncation', async (t) => {
  const log = logOf(t, `${line({ path: '/first' })}\nhalf`)
  const tail = spawn(process.execPath, [bin, 'tail', '-f', log], { stdio: 'pipe' })
  t.teardown(() => tail.kill('SIGKILL'))
  let shown = ''
  const shows = async (path: string): Promise<void> => {
    while (!shown.includes(`GET ${path} `)) {
      const [part] = (await once(tail.stdout, 'data')) as [Buffer]
      shown += part.toString()
    }
  }
  await shows('/first')
  appendFileSync(log, '\n')
  appendFileSync(log, `${line({ path: '/second' })}\n`)
  await shows('/second')
  t.match(shown, /^half$/m, 'a line that was half there is shown whole')

  renameSync(log, `${log}.1`)
  appendFileSync(`${log}.1`, `${line({ path: '/late' })}\n`)
  await shows('/late')
  writeFileSync(log, `${line({ path: '/third' })}\n`)
  await shows('/third')
  truncateSync(log)
  appendFileSync(log, `${line({ path: '/4' })}\n`)
  await shows('/4')
  tail.kill('SIGINT')
  await once(tail, 'exit')
})
