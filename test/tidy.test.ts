/** Keeps the house rules by reading the sources as text: who imports whom, sizes, names. */
import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const root = fileURLToPath(new URL('../../', import.meta.url))
const linesMax = 350
const smallMax = 30
const columnsMax = 100

interface Source {
  /** From the root, such as `src/gate/gate.ts`. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
}

const src = sourcesIn('src')
const tests = sourcesIn('test')

/** Room → other rooms that it may import. `daemon` and `cli` put the rest together. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  collections: [],
  text: [],
  time: [],
  health: ['time'],
  disk: [],
  http: [],
  settings: ['disk', 'text', 'time'],
  log: ['metrics', 'settings', 'text', 'time'],
  cluster: ['health', 'metrics', 'settings', 'collections', 'text', 'http', 'time'],
  listings: ['leases', 'cluster', 'collections', 'disk', 'time', 'log', 'http'],
  leases: ['cluster', 'settings', 'text'],
  ledger: ['leases', 'cluster', 'collections', 'settings', 'metrics', 'time', 'log', 'http'],
  store: ['ledger', 'collections', 'health', 'metrics', 'settings', 'time', 'log'],
  fallback: ['cluster', 'health', 'metrics', 'time', 'collections', 'text', 'log', 'http'],
  tracking: ['cluster', 'collections', 'metrics', 'time', 'log'],
  metrics: [],
  gate: [
    'collections',
    'leases',
    'ledger',
    'listings',
    'tracking',
    'store',
    'cluster',
    'settings',
    'log',
    'metrics',
    'time',
    'http',
    'text',
  ],
  admin: [
    'collections',
    'leases',
    'ledger',
    'tracking',
    'store',
    'cluster',
    'health',
    'settings',
    'log',
    'metrics',
    'time',
    'http',
  ],
}
const mayImportAll = ['daemon', 'cli', 'main.ts']
/** What puts the program together knows nothing of the command line that starts it. */
const mayNotImport: Readonly<Record<string, string>> = { daemon: 'cli' }

t.test('imports between the rooms of src follow the allowed directions', async (t) => {
  const faults = src.flatMap((source) => {
    const room = roomOf(source.path)
    if (mayImportAll.includes(room))
      return importsOf(source)
        .filter(({ target }) => roomOf(target) === mayNotImport[room])
        .map(({ line, target }) => `${source.path}:${line}: ${room} must not import ${target}`)
    const allowed = mayImport[room]
    if (allowed === undefined) return [`${source.path}:1: no rule says what ${room} may import`]
    return importsOf(source)
      .filter(({ target }) => ![room, ...allowed].includes(roomOf(target)))
      .map(({ line, target }) => `${source.path}:${line}: ${room} must not import ${target}`)
  })
  none(t, src, faults)
})

t.test('a room imports everything that it is allowed to', async (t) => {
  const faults = Object.entries(mayImport).flatMap(([room, allowed]) => {
    const sources = src.filter(({ path }) => roomOf(path) === room)
    const used = new Set(sources.flatMap(importsOf).map(({ target }) => roomOf(target)))
    return allowed
      .filter((other, index) => allowed.indexOf(other) !== index || !used.has(other))
      .map((other) => `test/tidy.test.ts: ${room} needs no permission to import ${other}`)
  })
  none(t, Object.keys(mayImport), faults)
})

t.test('the drawing of the rooms in the architecture is what they import', async (t) => {
  const rooms = Map.groupBy(src, ({ path }) => roomOf(path))
  const imported = new Map(
    [...rooms].map(([room, sources]) => [
      room,
      new Set(sources.flatMap(importsOf).map(({ target }) => roomOf(target))).difference(
        new Set([room]),
      ),
    ]),
  )
  const reached = (room: string): string[] =>
    [...(imported.get(room) ?? [])].flatMap((other) => [other, ...reached(other)])
  const arrows = [...imported].flatMap(([room, others]) => {
    const beyond = new Set([...others].flatMap(reached))
    const nearest = [...others.difference(beyond)].sort()
    return nearest.length === 0 ? [] : [`${room.replace('.ts', '')} --> ${nearest.join(' & ')}`]
  })
  const { text } = sourceAt('docs/architecture.md')
  const drawn = /^```mermaid show\ngraph TD\n([^`]*)```$/m.exec(text)?.[1]?.trimEnd().split('\n  ')
  t.same(drawn?.map((line) => line.trim()).sort(), arrows.sort())
})

t.test('no file of src imports itself by way of others, not even for a type', async (t) => {
  const faults = circles(src).map((circle) => `${circle.join(' -> ')}: a circle`)
  none(t, src, faults)
})

t.test('no folder of a room imports a folder beside it that imports it', async (t) => {
  const [from, to] = [new Map<string, string>(), new Set<string>()]
  for (const source of src)
    for (const { line, target } of importsOf(source)) {
      const [own, other] = [source.path, target].map((path) => path.split('/').slice(0, 3))
      const isBeside = source.path.split('/').length > 3 && target.split('/').length > 3
      if (!isBeside || roomOf(source.path) !== roomOf(target)) continue
      from.set(`${own?.join('/')} ${other?.join('/')}`, `${source.path}:${line}: imports ${target}`)
      to.add(`${other?.join('/')} ${own?.join('/')}`)
    }
  const faults = [...from].flatMap(([pair, at]) =>
    to.has(pair) && new Set(pair.split(' ')).size === 2 ? [at] : [],
  )
  none(t, [...from.keys()], faults)
})

t.test('nothing in src imports from outside: neither tests nor build tools', async (t) => {
  const faults = src.flatMap((source) =>
    importsOf(source)
      .filter(({ target }) => !target.startsWith('src/'))
      .map(({ line, target }) => `${source.path}:${line}: imports ${target}`),
  )
  none(t, src, faults)
})

t.test('the daemon never loads the sources of its schema, which need TypeBox', async (t) => {
  const schema = src.filter(({ text }) => text.includes("from 'typebox'"))
  const paths = schema.map(({ path }) => path)
  const faults = src
    .filter(({ path }) => !paths.includes(path))
    .flatMap((source) =>
      importsOf(source)
        .filter(({ target, isType }) => !isType && paths.includes(target))
        .map(({ line, target }) => `${source.path}:${line}: imports ${target} for more than types`),
    )
  none(t, schema, faults)
})

t.test('modules that are loaded lazily are from src or from Node', async (t) => {
  // A bundler changes what import() of a CommonJS package yields: such a package is imported
  // statically by a module of src, and that module is loaded late.
  const late = src.flatMap((source) =>
    [...source.text.matchAll(/\bimport\s*\(\s*([^)]*)\)/g)].map((match) => ({
      at: `${source.path}:${source.text.slice(0, match.index).split('\n').length}`,
      name: match[1] ?? '',
    })),
  )
  const faults = late
    .filter(({ name }) => !/^['"](?:\.\.?\/[^'"]+|node:[^'"]+)['"],?\s*$/.test(name))
    .map(({ at, name }) => `${at}: loads ${name} late`)
  none(t, late, faults)
})

t.test('the phases of a request never import each other', async (t) => {
  const paths = ['authenticate', 'limit', 'authorize', 'forward'].map(
    (phase) => `src/gate/${phase}/${phase}.ts`,
  )
  const phases = src.filter(({ path }) => paths.includes(path))
  const faults = phases.flatMap((source) =>
    importsOf(source)
      .filter(({ target }) => paths.includes(target))
      .map(({ line, target }) => `${source.path}:${line}: imports the phase ${target}`),
  )
  t.same(phases.map(({ path }) => path).sort(), paths.sort(), 'every phase has its file')
  none(t, phases, faults)
})

/** What other rooms may have of the gate when the program runs, and why. */
const gateValues = new Map([
  ['src/gate/gate.ts createGate', 'builds it'],
  ['src/gate/refusals.ts refusals', "the probe has advice for the gate's sentences"],
  ['src/gate/refusals.ts faults', "the probe has advice for the gate's sentences"],
])

t.test('other rooms see only how the gate is created, and types', async (t) => {
  const taken = src
    .filter(({ path }) => roomOf(path) !== 'gate')
    .flatMap((source) => importsOf(source).map((found) => ({ ...found, path: source.path })))
    .filter(({ target, isType }) => roomOf(target) === 'gate' && !isType)
    .flatMap(({ values, ...found }) => values.map((name) => ({ ...found, name })))
  const faults = taken
    .filter(({ target, name }) => !gateValues.has(`${target} ${name}`))
    .map(({ path, line, target, name }) => `${path}:${line}: imports ${name} of ${target}`)
  none(t, taken, faults)
})

/** What of the way to an answer adapts it to Fastify; the handlers of plans stand beside it. */
const adapters = ['forward.ts', 'relay.ts', 'stream-answer.ts']

const handlers = src.filter(
  ({ path }) =>
    /^src\/gate\/(?:fault\.ts|(?:forward|outage|ownership)\/)/.test(path) &&
    !adapters.includes(posix.basename(path)),
)

t.test('the handlers of plans use only the clock that they were given', async (t) => {
  const asked = /\b(?:performance|Date)\.now\b|\bnew Date\(\)|\bset(?:Timeout|Interval)\(/
  const imported = /\bimport \{.*\b(?:clock|setTimer)\b/
  const isClock = (line: string) => asked.test(line) || imported.test(line)
  none(t, handlers, matches(handlers, isClock))
})

t.test('the handlers of plans know nothing of Fastify', async (t) => {
  const isFastify = (line: string) =>
    /\bfrom '(?:@?fastify\b|.*\/(?:answer|answering|relay)\.js')/.test(line)
  none(t, handlers, matches(handlers, isFastify))
})

t.test('permissions are compared only where their table is', async (t) => {
  const others = src.filter(({ path }) => !/\/(?:routes|permissions)\.ts$/.test(path))
  const isCompared = (line: string) => /(?<!typeof )\bpermissions?(?:\.has\('| [!=]== ')/.test(line)
  none(t, others, matches(others, isCompared))
})

t.test('the fake cluster knows nothing of what it tests', async (t) => {
  const fake = tests.filter(({ path }) => path.startsWith('test/support/fake-cluster'))
  const faults = fake.flatMap((source) =>
    importsOf(source)
      .filter(({ target }) => target.startsWith('src/'))
      .map(({ line, target }) => `${source.path}:${line}: imports ${target}`),
  )
  none(t, fake, faults)
})

t.test('every file in src begins with a sentence that says its job', async (t) => {
  const opening = /^(?:#!.*\n)?(?:\/\*\*\s*(?:\* )?|\/\/ )([A-Z`][\s\S]*?[.?!])(?:\s|$)/
  const faults = src
    .filter(({ text }) => !opening.test(text))
    .map(({ path, lines }) => `${path}:1: opens with ${lines[0] ?? 'nothing'}`)
  none(t, src, faults)
})

t.test('file names are unique', async (t) => {
  const paths = [...src, ...tests.filter(({ path }) => path.endsWith('.test.ts'))].map(
    ({ path }) => path,
  )
  const faults = repeated(paths, (path) => posix.basename(path)).map(
    ([name, at]) => `${at.join(', ')}: one name, ${name}`,
  )
  none(t, paths, faults)
})

t.test('the path of a test mirrors that of its subject', async (t) => {
  const rooms = new Set(src.map(({ path }) => roomOf(path)))
  const ofRooms = tests
    .filter(({ path }) => path.endsWith('.test.ts') && rooms.has(path.split('/')[1] ?? ''))
    .map(({ path }) => path)
  const faults = ofRooms.filter((path) => {
    const folder = posix.dirname(path).replace('test', 'src')
    const name = posix.basename(path, '.test.ts')
    const hasFolder = src.some((source) => source.path.startsWith(`${folder}/`))
    const subjects = src.filter((source) => posix.basename(source.path, '.ts') === name)
    const places = [folder, `${folder}/${name}`]
    const isBeside = subjects.some((source) => places.includes(posix.dirname(source.path)))
    return !hasFolder || !(isBeside || subjects.length === 0 || posix.basename(folder) === name)
  })
  none(t, ofRooms, faults)
})

t.test('exported names of src are unique', async (t) => {
  const declared = /^export (?:default )?(?:async )?(?:interface|type|class|function|const) (\w+)/gm
  const names = src.flatMap(({ path, text }) =>
    [...text.matchAll(declared)].map(([, name = '']) => ({ path, name })),
  )
  const faults = repeated(names, ({ name }) => name).map(
    ([name, at]) => `${at.map(({ path }) => path).join(', ')}: both export ${name}`,
  )
  none(t, names, faults)
})

/** Files of fewer lines than `smallMax` that one other imports, and why they stand alone. */
const small = new Map([
  ['src/cli/encoders/encoders-commands.ts', 'each family of commands is declared in its folder'],
  ['src/cli/completion/completion.ts', 'a command is loaded when it is called'],
  ['src/cli/probe/node-version.ts', 'runs before the other imports'],
  ['src/gate/authenticate/failures.ts', 'a table that no flood can empty, with its reasons'],
  ['src/gate/receive/body.ts', 'a step of receive that Fastify runs'],
  ['src/gate/record/trace.ts', 'a recommendation of its own'],
  ['src/log/log-metrics.ts', 'a room registers its own instruments'],
  ['src/store/redis-client.ts', 'a bundler changes what is loaded late from a package'],
])

t.test(`a file of fewer than ${smallMax} lines with one importer has a reason`, async (t) => {
  const imported = src.flatMap((source) => [
    ...new Set(importsOf(source).map(({ target }) => target)),
  ])
  const once = new Set(
    imported.filter((path) => imported.indexOf(path) === imported.lastIndexOf(path)),
  )
  const alone = src.filter(({ path, lines }) => lines.length < smallMax && once.has(path))
  const paths = alone.map(({ path }) => path)
  const faults = [
    ...paths.filter((path) => !small.has(path)).map((path) => `${path}:1: belongs to its importer`),
    ...[...small.keys()]
      .filter((path) => !paths.includes(path))
      .map((path) => `${path}: no reason needed`),
  ]
  none(t, alone, faults)
})

t.test(`no file in src is longer than ${linesMax} lines`, async (t) => {
  const faults = src
    .filter(({ lines }) => lines.length > linesMax)
    .map(({ path, lines }) => `${path}:${linesMax + 1}: ${lines.length} lines`)
  none(t, src, faults)
})

t.test(`no line is longer than ${columnsMax} columns, unless it cannot be broken`, async (t) => {
  // With a host or without: a long word with slashes in it, which nothing can break.
  const hasUrl = /(?=\S*\/)\S{60}/
  // A text that a test compares is easier to read whole.
  const isLiteral = /^\s*(['"`\/]).*\1,?$/
  // Prettier leaves an import of one name on its line.
  const isImport = /^import (?:type )?(?:\{ [\w ]+ \}|\w+) from '/
  const isLong = (line: string) =>
    line.length > columnsMax && !hasUrl.test(line) && !isImport.test(line)
  const faults = [
    ...matches(src, isLong),
    ...matches(tests, (line) => isLong(line) && !isLiteral.test(line)),
  ]
  none(t, [...src, ...tests], faults)
})

/** Words and turns that leave open which thing does what; each pattern with what to write. */
const tics: readonly (readonly [RegExp, string])[] = [
  [/\bwhoever\b/i, 'name the actor'],
  [/\bwho [a-z]+(?: [a-z]+)? is\b/i, 'name the actor'],
  [/\b(?:some|no)body\b/i, 'name the actor'],
  [/\bof ours\b/i, "the gate's"],
  [/(?<!there )\b(?:is|are) none\b/i, 'say what is missing'],
  [/(?<!there )\b(?:is|are) no (?!longer\b)[a-z]/i, 'is not a'],
  [/\bmade for\b/i, 'name the purpose'],
  [/\bc(?:o|a)mes? by\b/i, 'say how'],
  [/\b(?:is|are) dear\b/i, 'costly'],
  [/(?<!-)\baway\b/i, 'down, or remove'],
  [/\bunder ?way\b/i, 'in flight, or in progress'],
  [/\breads? (?:a )?[1-5]\d\d\b/, 'gets'],
  [/\bbeside the gate\b/i, 'outside the gate'],
  [/\btakes? nothing\b/i, 'is not writable'],
  [/\bin clear\b/i, 'unencrypted'],
  [/\banew\b/i, 'again, or from the start'],
  [/\bmend(?:s|ed|ing)?\b/i, 'fix'],
  [/\bfor ever\b/i, 'forever'],
  [/\ball the same\b/i, 'still'],
  [/\bone after the other\b/i, 'one at a time'],
  [/\bseldom\b/i, 'less often'],
  [/\b(?:end|stop)\w* in order\b|\borderly (?:end|stop)/i, 'shuts down cleanly'],
  [/\b(?:is|are|was|were) (?:said|told)\b/i, 'name who says it'],
  [/\btroubles?\b/i, 'problem'],
  [/\bgo(?:es|ing)? on\b/i, 'continue'],
  [/\bas well\b/i, 'also'],
  [/\bgood keys?\b/i, 'valid'],
  [/\bbusiness\b/i, 'say who can fix it'],
  [/\bmostly\b/i, 'usually'],
]

/** A changelog quotes names of before. */
const withoutCode = (line: string): string => line.replaceAll(/`[^`]*`/g, '')

/** In a title or a comment of a test. */
const proseOfTest = /(?:\bt\.test\(['"`]|\/\/|^\s*\/?\*)(.*)/

t.test('prose names its actors', async (t) => {
  const pages = ['README.md', 'SECURITY.md', 'CHANGELOG.md']
  const docs = ['docs', 'deploy', 'systemd'].flatMap((folder) =>
    readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name}`)
      .filter((path) => lstatSync(root + path).isFile() && !path.endsWith('.png')),
  )
  const sources = [...src, ...[...pages, ...docs].map(sourceAt)]
  const faults = tics.flatMap(([tic, instead]) =>
    [
      ...matches(sources, (line) => tic.test(withoutCode(line)) && tic.test(line)),
      ...matches(tests, (line) => tic.test(proseOfTest.exec(line)?.[1] ?? '')),
    ].map((fault) => `${fault} (${instead})`),
  )
  none(t, [...sources, ...tests], faults)
})

t.test('no cast disables type checking', async (t) => {
  const sources = [...src, ...tests]
  // In prose the word is followed by another one.
  none(
    t,
    sources,
    matches(sources, (line) => /\bas\s+any\b(?! [a-z])|<an[y]>/.test(line)),
  )
})

t.test('no test prevents the others from running', async (t) => {
  none(
    t,
    tests,
    matches(tests, (line) => /\.only\(|\bonly:\s*true/.test(line)),
  )
})

t.test('nothing in src bypasses the log', async (t) => {
  none(
    t,
    src,
    matches(src, (line) => /\bconsole\./.test(line)),
  )
})

t.test("no path of a developer's machine is in src", async (t) => {
  none(
    t,
    src,
    matches(src, (line) => /(?<![\w.])\/(?:home|root|work|tmp|Users)\//.test(line)),
  )
})

// What is not yet committed counts too: the rule should speak before the commit, not after.
const committed = listedByGit()
const noGit = committed === undefined && 'not a git checkout: the files of the project are unknown'

t.test('no file or folder has a catch-all name', { skip: noGit }, async (t) => {
  const homeless = /^(?:utils?|helpers?|managers?|common|misc)$/i
  const paths = committed ?? []
  const faults = paths
    .filter((path) => path.split(/[/._-]/).some((word) => homeless.test(word)))
    .map((path) => `${path}:1: a noun is missing`)
  none(t, paths, faults)
})

t.test('no package registry is named in any file', { skip: noGit }, async (t) => {
  const files = (committed ?? []).filter((path) => lstatSync(root + path).isFile())
  const sources = files.map(sourceAt)
  const host =
    /\bregistry\.[a-z0-9-]+\.[a-z]{2,}|\bnpm\.pkg\.|artifactor[y]|verdacci[o]|_authToke[n]/i
  none(
    t,
    sources,
    matches(sources, (line) => host.test(line)),
  )
})

t.test('the lock file says what is installed, but not from where', async (t) => {
  const lock = [sourceAt('package-lock.json')]
  none(
    t,
    lock,
    matches(lock, (line) => /"resolved":\s*"(?:git\+)?(?:http|ssh)/.test(line)),
  )
})

/** Fails once for each fault, and when nothing was looked at: such a rule would keep nothing. */
function none(t: Test, lookedAt: readonly unknown[], faults: readonly string[]): void {
  t.not(lookedAt.length, 0, 'there is something to look at')
  for (const fault of faults) t.fail(fault, { diagnostic: false })
  t.equal(faults.length, 0, 'faults')
}

/** What several things have in common, with those things. */
function repeated<T>(things: readonly T[], keyOf: (thing: T) => string): [string, T[]][] {
  return [...Map.groupBy(things, keyOf)].filter(([, alike]) => alike.length > 1)
}

function matches(sources: readonly Source[], isFault: (line: string) => boolean): string[] {
  return sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) =>
      isFault(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, columnsMax)}`] : [],
    ),
  )
}

/** The first step below src: a folder, or a file beside them. */
function roomOf(path: string): string {
  return path.startsWith('src/') ? (path.split('/')[1] ?? path) : path
}

/** What a source imports or exports from files of the project, also by `import()`. */
function importsOf({ path, text }: Source): Import[] {
  return [...text.matchAll(/\b(?:from|import)\s*\(?\s*['"](\.[^'"]*)['"]/g)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    target: posix.join(posix.dirname(path), match[1] ?? '').replace(/\.js$/, '.ts'),
    isType: /\b(?:im|ex)port type [^;'"]*$/.test(text.slice(0, match.index)),
    values: valuesBefore(text.slice(0, match.index)),
  }))
}

/** Names in the clause that a text ends with; `*` where it is not known which. */
function valuesBefore(text: string): string[] {
  const names = /\b(?:im|ex)port (?:type )?\{([^}]*)\}\s*$/.exec(text)?.[1]?.split(',')
  return (names ?? ['*'])
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
}

/** Each circle of imports that a walk in depth meets, from a file around to the same one. */
function circles(sources: readonly Source[]): string[][] {
  const targets = new Map(
    sources.map((source) => [source.path, importsOf(source).map(({ target }) => target)]),
  )
  const done = new Set<string>()
  const found: string[][] = []
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start >= 0) found.push([...way.slice(start), path])
    if (start >= 0 || done.has(path)) return
    for (const target of targets.get(path) ?? []) walk(target, [...way, path])
    done.add(path)
  }
  for (const path of targets.keys()) walk(path, [])
  return found
}

interface Import {
  readonly line: number
  readonly target: string
  /** Nothing of it is left when the program runs. */
  readonly isType: boolean
  /** What else it has by name. */
  readonly values: readonly string[]
}

function sourcesIn(folder: string): readonly Source[] {
  return readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => sourceAt(`${folder}/${path}`))
}

function sourceAt(path: string): Source {
  const text = readFileSync(root + path, 'utf8')
  return { path, text, lines: text.replace(/\n$/, '').split('\n') }
}

function listedByGit(): readonly string[] | undefined {
  const listing = (...flags: string[]) =>
    execFileSync('git', ['-C', root, 'ls-files', '-z', ...flags], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .split('\0')
      .filter((path) => path !== '')
  try {
    const deleted = new Set(listing('--deleted'))
    return listing('--cached', '--others', '--exclude-standard').filter(
      (path) => !deleted.has(path),
    )
  } catch {
    return undefined
  }
}
