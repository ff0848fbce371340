/** The request target: decoded first, checked then, so that one resource has one spelling. */
import t from 'tap'
import { BadRequest } from '../../src/gate/refusals.js'
import { pathFrom, readTarget } from '../../src/gate/target.js'

const segmentsOf = (url: string): readonly string[] => readTarget(url).segments
/** A title without control characters, which would garble the report. */
const shown = (text: string): string => JSON.stringify(text)

/** Why a target is refused; undefined when it is not. */
function reasonOf(url: string): string | undefined {
  try {
    readTarget(url)
    return undefined
  } catch (error) {
    if (error instanceof BadRequest) return error.reason
    throw error
  }
}

const asCode = (code: number): string => code.toString(16).padStart(2, '0')

t.test('doubled and trailing slashes are removed', async (t) => {
  const cases = {
    '/': [],
    '//': [],
    '/id': ['id'],
    '/id/': ['id'],
    '//id': ['id'],
    '//pins//X///': ['pins', 'X'],
    '//host/pins': ['host', 'pins'],
    '/pins/X?': ['pins', 'X'],
  }
  for (const [url, segments] of Object.entries(cases)) t.same(segmentsOf(url), segments, url)
})

t.test('a segment is decoded once, and letter case stays', async (t) => {
  const cases = {
    '/pins/%51m': ['pins', 'Qm'],
    '/%70ins/X': ['pins', 'X'],
    '/PINS/x': ['PINS', 'x'],
    '/pins/a+b': ['pins', 'a+b'],
    '/pins/a%20b': ['pins', 'a b'],
    '/pins/a%3Fb%23c': ['pins', 'a?b#c'],
    '/pins/%F0%9F%9A%80': ['pins', '🚀'],
    '/pins/X%252Frecover': ['pins', 'X%2Frecover'],
    '/pins/%252e%252e': ['pins', '%2e%2e'],
    '/pins/a.b..c': ['pins', 'a.b..c'],
    '/pins/a;b=c': ['pins', 'a;b=c'],
  }
  for (const [url, segments] of Object.entries(cases)) {
    t.same(segmentsOf(url), segments, url)
  }
})

t.test('an ambiguous path is refused', async (t) => {
  const urls = [
    '/pins/X%2frecover',
    '/pins/X%2F',
    '/%2Fpins',
    '/pins/ipfs%2FX',
    '/pins%5CX',
    '/pins/a%5cb',
    '/pins\\X',
    '/pins/./X',
    '/pins/../id',
    '/pins/X/..',
    '/..',
    '/pins/%2e/X',
    '/pins/%2e%2e/id',
    '/pins/.%2e/id',
    '/pins/..;/id',
    '/pins/..%20/id',
    '/pins/...x/id',
    '/pins/x../id',
  ]
  for (const url of urls) t.equal(reasonOf(url), 'bad-path', shown(url))
})

t.test('a control character is refused, encoded or not', async (t) => {
  for (let code = 0; code < 0x20; code++) {
    t.equal(reasonOf(`/pins/X%${asCode(code)}`), 'bad-path', asCode(code))
    const raw = `/pins/X${String.fromCharCode(code)}`
    t.equal(reasonOf(raw), 'bad-path', `${asCode(code)}, raw`)
  }
  for (const url of ['/id%7F', '/id\x7f', '/id%C2%80', '/id%C2%9F', '/pins/a b', '/pins/é']) {
    t.equal(reasonOf(url), 'bad-path', shown(url))
  }
})

t.test('a bad escape is refused, also one that is not UTF-8', async (t) => {
  const escapes = [
    '%',
    '%4',
    '%4g',
    '%zz',
    '%C3',
    '%C3%28',
    '%FF',
    '%C0%AF',
    '%ED%A0%80',
    '%E0%80%AF',
  ]
  for (const escape of [...escapes, '%F4%90%80%80', '%u0041']) {
    t.equal(reasonOf(`/pins/${escape}`), 'bad-path', escape)
  }
})

t.test('only a path is accepted: no absolute-form, asterisk, authority or fragment', async (t) => {
  const urls = [
    '',
    '*',
    'id',
    'http://host/id',
    'HTTP://host/id',
    'host:443',
    '?a=b',
    '/id#x',
    '/#',
  ]
  for (const url of urls) t.equal(reasonOf(url), 'bad-path', shown(url))
})

t.test('a path is built with every segment in its one spelling', async (t) => {
  const cases = [
    [[], '/'],
    [['pins', 'X', 'recover'], '/pins/X/recover'],
    [['pins', 'a b', 'é'], '/pins/a%20b/%C3%A9'],
    [['a/b', '?#', '%2F'], '/a%2Fb/%3F%23/%252F'],
  ] as const
  for (const [segments, path] of cases) t.equal(pathFrom(segments), path)
  t.same(segmentsOf(pathFrom(['pins', '%2F', 'a b', '🚀'])), ['pins', '%2F', 'a b', '🚀'])
})

t.test('parameters are decoded, and those without a value are absent', async (t) => {
  const cases = {
    '': {},
    'local=true': { local: 'true' },
    'name=': {},
    name: {},
    '&&local=true&': { local: 'true' },
    'name=a+b': { name: 'a b' },
    'name=a%2Bb': { name: 'a+b' },
    'name=a=b': { name: 'a=b' },
    'name=a?b/c': { name: 'a?b/c' },
    'name=%C3%A9%F0%9F%9A%80': { name: 'é🚀' },
    'name=%2525': { name: '%25' },
    'name=a%3Bb%26c%23d': { name: 'a;b&c#d' },
    'm%65ta-K=v': { 'meta-K': 'v' },
    'meta+x=v': { 'meta x': 'v' },
    'NAME=a&name=b': { NAME: 'a', name: 'b' },
    '__proto__=x': JSON.parse('{"__proto__":"x"}') as Record<string, string>,
    '=x': { '': 'x' },
    '=': {},
  }
  for (const [raw, expected] of Object.entries(cases)) {
    const { query } = readTarget(`/pins?${raw}`)
    t.same(query, new Map(Object.entries(expected)), raw)
  }
})

t.test('a query that the cluster might read otherwise is refused, its path kept', async (t) => {
  const cases = {
    'local=true;filter=pinned': 'malformed query',
    'a=1&b=;': 'malformed query',
    'name=a#b': 'malformed query',
    'name=é': 'malformed query',
    'name=a b': 'malformed query',
    'name=a\0': 'malformed query',
    'name=%': 'malformed percent-encoding',
    'name=%zz': 'malformed percent-encoding',
    'name=%FF': 'malformed percent-encoding',
    '%C3%28=x': 'malformed percent-encoding',
    'name=a&name=b': 'parameter "name" is repeated',
    'name=a&name=': 'parameter "name" is repeated',
    'name=&name=a': 'parameter "name" is repeated',
    'name&name': 'parameter "name" is repeated',
    'name=a&n%61me=a': 'parameter "name" is repeated',
  }
  for (const [raw, message] of Object.entries(cases)) {
    const { segments, query } = readTarget(`/pins/X?${raw}`)
    t.same(segments, ['pins', 'X'])
    t.ok(query instanceof BadRequest, shown(raw))
    t.match(query, { reason: 'bad-query', message }, shown(raw))
  }
})

t.test('64 parameters are read and 65 are not', async (t) => {
  const query = (count: number): string =>
    Array.from({ length: count }, (_none, i) => `meta-${i}=${i}`).join('&')
  const most = readTarget(`/pins?${query(64)}`).query
  t.equal(most instanceof BadRequest ? 0 : most.size, 64)
  t.match(readTarget(`/pins?${query(65)}`).query, { message: 'too many parameters' })
})

t.test('a name in an error is truncated and escaped', async (t) => {
  const name = `%22%0A${'x'.repeat(300)}`
  const { query } = readTarget(`/pins?${name}=1&${name}=2`)
  t.match(query, { message: `parameter "\\"\\n${'x'.repeat(62)}" is repeated` })
})
