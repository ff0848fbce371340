/** The container files, read: no engine runs here, so what matters in them is looked at. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'
import t from 'tap'
import { snapshotFrom } from '../../src/settings/load.js'
import { repository } from './staging.js'

const read = (name: string): string => readFileSync(`${repository}deploy/docker/${name}`, 'utf8')
const dockerfile = read('Dockerfile').replace(/\\\n/g, '')
const compose = read('compose.yaml')
const { listen, admin, journal } = snapshotFrom({ admin: {} }).config

const instructions = dockerfile
  .split('\n')
  .map((line) => /^([A-Z]+) +(.*)$/.exec(line))
  .flatMap((match) => (match === null ? [] : [{ name: match[1] ?? '', rest: match[2] ?? '' }]))
const all = (name: string) => instructions.filter((each) => each.name === name)

t.test('what is copied from the checkout is there, and let through', async (t) => {
  const allowed: string[] = read('Dockerfile.dockerignore').match(/^!.*$/gm) ?? []
  const copied = all('COPY')
    .filter(({ rest }) => !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(' ').slice(0, -1))
  t.ok(copied.length > 3)
  for (const source of copied) {
    t.ok(existsSync(join(repository, source)), source)
    t.ok(allowed.includes(`!${source}`), `${source} is not ignored`)
  }
})

t.test('what is run in the image is made by the build', async (t) => {
  const { rest } = all('ENTRYPOINT')[0] ?? { rest: '[]' }
  const [, program = ''] = JSON.parse(rest) as string[]
  const workdir = all('WORKDIR').at(-1)?.rest ?? ''
  t.ok(existsSync(join(repository, program.replace(workdir, ''))), program)
})

t.test('it is small, pinned, and runs as nobody', async (t) => {
  for (const { rest } of all('FROM')) t.match(rest, /^node:\d+-\w+-slim( AS \w+)?$/)
  t.notMatch(all('USER').at(-1)?.rest, /^(0|root)\b/)
  for (const { rest } of all('RUN')) {
    const installs = rest.match(/npm (ci|prune)[^&]*/g) ?? []
    for (const command of installs) t.match(command, '--ignore-scripts')
  }
})

t.test('what outlives it has a volume of its own', async (t) => {
  const directory = /STATE_DIRECTORY=(\S+)/.exec(all('ENV').at(-1)?.rest ?? '')?.[1] ?? ''
  t.equal(directory, journal.directory)
  t.match(all('RUN').at(-1)?.rest, `install -d -o 1000 -g 1000 -m 750 ${directory}`)
  t.match(compose, `- gate:${directory}\n`)
})

t.test('its health check asks the admin listener, where it is by default', async (t) => {
  const { rest } = all('HEALTHCHECK')[0] ?? { rest: '' }
  t.match(rest, `http://127.0.0.1:${String(admin?.port)}/healthz`)
  const script = /\["node", "-e", "(.*)"\]$/.exec(rest)?.[1]
  t.doesNotThrow(() => new Script(script ?? '('), 'and can be run')
})

t.test("only the gate's and the peers' ports are published", async (t) => {
  const published = [...compose.matchAll(/^ {6}- '(\d+):\d+(?:\/udp)?'$/gm)].map(([, port]) => port)
  t.same(published, ['4001', '4001', '9096', String(listen.port)])
  t.match(compose, 'read_only: true')
  const seconds = Number(/stop_grace_period: (\d+)s/.exec(compose)?.[1])
  t.ok(seconds * 1000 > listen.shutdownMs + listen.lingerMs)
  t.notMatch(compose, /:latest\b/)
})
