/** The log as a person reads it: laid out, filtered, followed. */
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { execFileSync, spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
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
    /^\S+Z alpha {8}GET \/id 200 answered \S+ m?s, cluster \S+ m?s, from 127\.0\.0\.1$/m,
  )
  t.match(stdout, /^\S+Z alpha {8}GET \/nothing 404 refused unknown-route /m)
})

t.test('filters select the requests that match all of them', async (t) => {
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

t.test('a malformed filter or number is wrong usage', async (t) => {
  const log = logOf(t, whole)
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['--outcome', 'fine'], /--outcome fine is not an outcome; use answered, journaled/],
    [['--status', '99'], /--status 99 is not a status; use 429, 4xx/],
    [['--lines', 'all'], /--lines all is not a number/],
    ...[
      '',
      '0',
      '-2h',
      '1.5h',
      'now',
      '2026',
      '2026-02-30',
      '2026-11-29T10:00',
      '2026-11-29T25:00Z',
    ].map((since) => [['--since', since], /--since .* is not a time\nhint: such as 30m/] as const),
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

t.test('text from a client cannot move the cursor', async (t) => {
  const evil = '\u001b]0;title\u0007\u009b2J\u202e'
  const log = logOf(t, `${line({ path: evil })}\n${evil}\n{"msg":${JSON.stringify(evil)}}\n`)
  const { stdout } = await pinwarden('tail', log)
  t.notMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  t.match(stdout, '\\u001b]0;title\\u0007')
})

t.test('standard input is read as it arrives', async (t) => {
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

t.test('without a file, tail reads the configured log and its rotated files', async (t) => {
  const day = (time: string, id: string) =>
    `${line({ msg: 'request', id, time: `2026-11-${time}:00.000Z` })}\n`
  const dir = t.testdir({
    'config.json': '{ "log": { "file": "access.log" } }',
    'access.log': day('29T10:00', 'd') + day('29T11:00', 'e'),
    'access.log.1': day('28T10:00', 'c'),
    'access.log.2.gz': gzipSync(day('27T10:00', 'b')),
    'access-20261126.log.zst': zstdCompressSync(day('26T10:00', 'a')),
    'access.log.former.txt': 'no log',
  })
  const order = ['access-20261126.log.zst', 'access.log.2.gz', 'access.log.1', 'access.log']
  for (const [index, name] of order.entries())
    utimesSync(join(dir, name), 0, Date.UTC(2026, 10, 27 + index) / 1000)
  const config = ['-c', join(dir, 'config.json')]
  const ids = async (...args: string[]) => {
    const { code, stdout } = await pinwarden('tail', '--json', ...args, ...config)
    return [code, ...stdout.split('\n').flatMap((text) => /"id":"(\w)"/.exec(text)?.[1] ?? [])]
  }
  t.same(await ids('-n', '1'), [0, 'e'])
  t.same(await ids(), [0, 'a', 'b', 'c', 'd', 'e'])
  t.same(await ids('--id', 'b'), [0, 'b'])
  t.same(await ids('--since', '2026-11-28T00:00:00Z'), [0, 'c', 'd', 'e'])
  t.same(await ids('--id', 'z'), [1], 'none is about it')
  const report = await pinwarden('report', '--json', ...config)
  t.match(JSON.parse(report.stdout), { from: /^2026-11-26/, encoders: [{ requests: 5 }] })
  const since = await pinwarden('report', '--since', '2026-11-28', '--json', ...config)
  t.match(JSON.parse(since.stdout), { from: /^2026-11-28/, encoders: [{ requests: 3 }] })

  writeFileSync(join(dir, 'access.log.9.xz'), Buffer.from('fd377a585a000000', 'hex'))
  const unread = { code: 1, stdout: '', stderr: /access\.log\.9\.xz is compressed with xz/ }
  t.match(await pinwarden('report', ...config), unread, 'a day that cannot be read is told')
})

t.test("the daemon's lines are extracted from docker, CRI and journald formats", async (t) => {
  const own = line({ msg: 'request', cid: 'bafy' })
  const carried = [
    `Nov 29 18:00:00 host pinwarden[123]: ${own}`,
    `2026-11-29T18:00:00+0000 host node[123]: ${own}`,
    JSON.stringify({ MESSAGE: own, _PID: '1' }),
    JSON.stringify({ MESSAGE: [...Buffer.from(own)] }),
    JSON.stringify({ log: `${own}\n`, stream: 'stdout', time: '2026-11-29T18:00:00Z' }),
    `2026-11-29T18:00:00.123456789Z stdout F ${own}`,
    `gate-1  | ${own}`,
    own,
  ]
  const log = logOf(t, `${carried.join('\n')}\n`)
  const { stdout } = await pinwarden('tail', '--encoder', 'alpha', '--json', log)
  t.same(
    stdout.trimEnd().split('\n'),
    carried.map(() => own),
  )
  const report = await pinwarden('report', '--json', log)
  t.match(JSON.parse(report.stdout), { encoders: [{ encoder: 'alpha', requests: carried.length }] })
  t.equal(report.stderr, '')
  const mixed = logOf(t, `Started pinwarden.service\n${own}\n${own.slice(0, 40)}\n`)
  const sum = await pinwarden('report', '--json', mixed)
  t.match(sum, { code: 0, stderr: 'pinwarden: warning: skipped 2 lines that are not JSON\n' })
})

t.test('lines that docker, CRI or journald cut are joined', async (t) => {
  const own = line({ msg: 'request', note: `a b ${'x'.repeat(40_000)}` })
  const [one, two, three] = [own.slice(0, 60), own.slice(60, 16_384), own.slice(16_384)]
  const short = line({ msg: 'request', path: '/short' })
  const time = '2026-11-29T18:00:00.123456789Z'
  const docker = (log: string, stream = 'stdout') => JSON.stringify({ log, stream, time })
  const journal = (MESSAGE: string, cut?: string) =>
    JSON.stringify({ MESSAGE, _PID: '7', ...(cut !== undefined && { _LINE_BREAK: cut }) })
  const carried = [
    [
      docker(one),
      docker('oops\n', 'stderr'),
      docker(two),
      docker(`${three}\n`),
      docker(`${short}\n`),
    ],
    [
      ...[`${time} stdout P ${one}`, `${time} stderr F oops`, `${time} stdout P:x ${two}`],
      ...[`${time} stdout F ${three}`, `${time} stdout F ${short}`],
    ],
    [
      journal('oops'),
      journal(one, 'line-max'),
      journal(two, 'line-max'),
      journal(three),
      journal(short),
    ],
  ]
  for (const parts of carried) {
    const log = logOf(t, `${parts.join('\n')}\n`)
    const shown = [`${own}\n${short}\n`, `${short}\n`]
    t.equal((await pinwarden('tail', '--encoder', 'alpha', '--json', log)).stdout, shown[0])
    t.equal((await pinwarden('tail', '-n', '1', '--json', log)).stdout, shown[1])
    t.equal(
      (await pinwarden('tail', '--since', '2026-01-01', '--encoder', 'alpha', '--json', log))
        .stdout,
      shown[0],
    )
    const piped = await pinwardenWith(
      { stdin: Readable.from([Buffer.from(parts.join('\n'))]) },
      ...['tail', '-', '--json', '--encoder', 'alpha'],
    )
    t.equal(piped.stdout, shown[0])
    const report = await pinwarden('report', '--json', log)
    t.match(JSON.parse(report.stdout), { encoders: [{ requests: 2 }] })
  }
  // Its end is not written yet.
  const begun = await pinwarden(
    'tail',
    '--json',
    logOf(t, `${docker(`${short}\n`)}\n${docker(one)}\n`),
  )
  t.equal(begun.stdout, `${short}\n${one}\n`)
})

t.test('odd neighbours of the log, and pipes, do not hold anything up', async (t) => {
  const dir = t.testdir({
    'c.json': '{ "log": { "file": "access.log" } }',
    'access.log.1': `${lines[0] ?? ''}\n`,
  })
  const at = (name: string) => join(dir, name)
  const shown = async (...args: string[]) => {
    const { code, stdout, stderr } = await pinwarden('tail', '--json', ...args)
    return code === 0 ? stdout.trimEnd().split('\n').length : stderr
  }
  t.equal(await shown('-c', at('c.json')), 1, 'there is no file in the middle of a rotation')
  symlinkSync('access.log.1', at('access.log'))
  mkdirSync(at('access.log.2'))
  execFileSync('mkfifo', [at('access.log.3'), at('pipe')])
  t.equal(await shown('-c', at('c.json')), 1, 'a link to a rotated file counts once')
  t.match(await shown('-c', at('none.json')), /none\.json does not exist/)
  t.match(await shown('-f', dir), /^pinwarden: error: \S+ is a directory\n$/)
  t.match(await shown('-f', at('none')), /^pinwarden: error: \S+none does not exist\n$/)
  for (const args of [[], ['-f']]) {
    const writer = spawn('sh', ['-c', `cat "${at('access.log.1')}" > "${at('pipe')}"`])
    const ended = once(writer, 'exit')
    t.equal(await shown(...args, at('pipe')), 1)
    await ended
  }
})

t.test('fields that another program wrote are shown, counted or left out', async (t) => {
  const odd = { msg: 'request', outcome: 'refused' }
  const oddLines = [
    ...[null, 7, {}, [], '__proto__', 'constructor'].map((encoder) => line({ ...odd, encoder })),
    ...[null, 7, {}, '__proto__'].map((reason) => line({ ...odd, reason })),
    ...[5, 'garbage', null, '2026-02-30T00:00:00Z'].map((time) => line({ ...odd, time })),
    ...[null, 'x', -1, 1e300].map((durationMs) => line({ ...odd, durationMs })),
    ...[null, 7, [1]].map((field) =>
      line({ ...odd, upstreamMs: field, upstreamError: field, wouldRefuse: field, path: field }),
    ),
    ...['{"level":"info"', '', '\0\0', '{}', '[]', 'null'],
  ]
  const log = logOf(t, `${oddLines.join('\n')}\n`)
  const shown = await pinwarden('tail', '-n', '99', log)
  t.match(shown, { code: 0, stderr: '' })
  t.equal(shown.stdout.trimEnd().split('\n').length, oddLines.length)
  for (const args of [[], ['--json'], ['--since', '2026-11-23']]) {
    const report = await pinwarden('report', ...args, log)
    t.equal(report.code, 0)
    t.match(report.stderr, /^pinwarden: warning: skipped \d lines that are not JSON\n/)
    t.notMatch(report.stdout + report.stderr, 'garbage')
  }
})

t.test('an unreadable log is an error, not an empty report', async (t) => {
  const dir = t.testdir({
    'other.log': 'GET /id 200\nGET /id 200\n',
    'log.xz': Buffer.from('fd377a585a000000', 'hex'),
    'cut.gz': gzipSync(whole).subarray(0, 40),
    none: '',
  })
  const cases: readonly (readonly [file: string, message: RegExp])[] = [
    ['other.log', /found no requests in 2 lines/],
    ['none', /found no requests in 0 lines/],
    ['log.xz', /compressed with xz.*\nhint: xz -dc/],
    ['cut.gz', /cut\.gz cannot be read/],
    ['nowhere', /nowhere does not exist/],
    ['.', / is a directory/],
  ]
  for (const [file, message] of cases)
    t.match(await pinwarden('report', join(dir, file)), { code: 1, stdout: '', stderr: message })
  for (const [file, message] of cases.slice(2))
    t.match(await pinwarden('tail', join(dir, file)), { code: 1, stdout: '', stderr: message })
})

t.test("if the configuration names no file, systemd's journal is read", async (t) => {
  const dir = t.testdir({ 'config.json': '{}', asked: '' })
  const carried = [lines[0], lines[2]].map((MESSAGE) => JSON.stringify({ MESSAGE, _PID: '7' }))
  const said = `printf '%s\\n' '${carried.join("' '")}'`
  const script = `#!/bin/sh\necho "$@" >> ${dir}/asked\n${said}\n`
  writeFileSync(join(dir, 'journalctl'), script, { mode: 0o755 })
  const { PATH } = process.env
  t.teardown(() => (process.env.PATH = PATH))
  process.env.PATH = `${dir}:${PATH ?? ''}`
  const config = ['-c', join(dir, 'config.json')]
  const { code, stdout } = await pinwarden('tail', '--encoder', 'beta', '--json', ...config)
  t.same([code, stdout], [0, `${lines[2] ?? ''}\n`])
  t.equal((await pinwarden('tail', '--since', '2h', ...config)).code, 0)
  t.match(
    readFileSync(join(dir, 'asked'), 'utf8'),
    /--unit=pinwarden .*--output=json.*\n.*--since=@\d+/,
  )
  process.env.PATH = join(dir, 'empty')
  t.match(await pinwarden('tail', ...config), {
    code: 1,
    stderr: /systemd's journal cannot be read: ENOENT/,
  })
})

t.test('lines about one CID are found in any spelling of it', async (t) => {
  const [v0, v1] = [
    'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn',
    'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354',
  ]
  const text = [line({ cid: v0 }), line({ cid: v1 }), lines[0]].join('\n')
  const asked = (cid: string) => pinwarden('tail', '--json', '--cid', cid, logOf(t, `${text}\n`))
  t.equal((await asked(v0)).stdout, `${line({ cid: v0 })}\n`)
  t.equal((await asked(v1.toUpperCase())).stdout, `${line({ cid: v1 })}\n`)
  t.match(await asked('nonsense'), { code: 2, stderr: /--cid nonsense is not a CID/ })
})

t.test('tail -f ends when its reader, such as head, ends', async (t) => {
  const log = logOf(t, whole)
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, bin, 'tail', '-f', log])
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  child.stdout.destroy()
  while (child.exitCode === null) {
    appendFileSync(log, `${lines[0] ?? ''}\n`)
    await Promise.race([ended, setTimeout(20)])
  }
  t.same(await ended, [1, null])
})

t.test('it also ends while nothing is logged, or no daemon answers', async (t) => {
  const log = logOf(t, whole)
  for (const command of [
    ['tail', '-f', '-n', '1', log],
    ['status', '--watch', '0.1', '--admin', 'http://127.0.0.1:9'],
  ]) {
    const piped = spawn(
      'sh',
      ['-c', '"$@" | head -n 1', 'sh', 'env', '-u', 'NODE_OPTIONS', process.execPath, bin].concat(
        command,
      ),
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    t.teardown(() => piped.kill('SIGKILL'))
    const [shown] = await Promise.all([text(piped.stdout), once(piped, 'exit')])
    t.match(shown, /^[^\n]+\n$/, command.join(' '))
  }
})

t.test('tail -f continues through growth, rotation and truncation', async (t) => {
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
