/** The container files, read; `npm run test:package` does what they say, step by step. */
import { statSync } from 'node:fs'
import t from 'tap'
import {
  all,
  compose,
  environment,
  instructions,
  operatorSteps,
  wordsOf,
} from './container-files.js'
import { repository } from './staging.js'
import { snapshotFrom } from '../support/snapshot-from.js'

const { listen, admin, journal } = snapshotFrom({ admin: {} }).config
const { gate } = compose.services

t.test('the base is an argument, so that an image can be made from a digest', async (t) => {
  t.equal(instructions[0]?.name, 'ARG')
  t.match(instructions[0]?.rest, /^BASE=debian:\w+-slim$/)
  t.same(all('FROM'), ['${BASE}'])
})

t.test('each label of the image has a value, and each argument in it a default', async (t) => {
  const labels = [
    ...(all('LABEL')[0] ?? '').matchAll(/(org\.opencontainers\.image\.[\w.]+)="([^"]*)"/g),
  ]
  t.ok(labels.length >= 8)
  for (const [, name = '', value = ''] of labels) {
    t.not(value, '', name)
    for (const [, argument = ''] of value.matchAll(/\$\{(\w+)\}/g))
      t.ok(
        all('ARG').some((rest) => rest.startsWith(`${argument}=`)),
        argument,
      )
  }
})

t.test('it runs as an unprivileged user, and shuts down cleanly', async (t) => {
  t.equal(all('USER').at(-1), '1000:1000')
  t.same(wordsOf('ENTRYPOINT'), ['pinwarden'])
  t.same(wordsOf('CMD'), ['serve'])
  t.same(all('STOPSIGNAL'), ['SIGTERM'])
})

t.test('persistent data has its own volume', async (t) => {
  t.equal(environment.STATE_DIRECTORY, journal.directory)
  t.ok(gate.volumes.includes(`gate:${journal.directory}`))
  t.ok('gate' in compose.volumes)
})

t.test('its health check asks the daemon, where the configuration has its admin listener', (t) => {
  t.same(wordsOf('HEALTHCHECK'), ['pinwarden', 'status', '--live'])
  t.equal(admin?.host, '127.0.0.1')
  t.end()
})

t.test("only the gate's and the peers' ports are published", async (t) => {
  const published = Object.values(compose.services).flatMap(({ ports }) => ports)
  const port = String(listen.port)
  t.same(published, ['4001:4001', '4001:4001/udp', '9096:9096', `${port}:${port}`])
  t.equal(gate.read_only, true)
  t.equal(gate.init, true)
  const seconds = Number(/^(\d+)s$/.exec(gate.stop_grace_period ?? '')?.[1])
  t.ok(seconds * 1000 > listen.shutdownMs + listen.lingerMs)
  for (const { image } of Object.values(compose.services)) t.notMatch(image, /:latest$/)
})

t.test('a missing directory is never created as root', async (t) => {
  const binds = gate.volumes.filter((volume) => typeof volume !== 'string')
  t.same(
    binds.map(({ source, bind }) => [source, bind.create_host_path]),
    [['./etc', false]],
  )
  const short = gate.volumes.filter((volume) => typeof volume === 'string')
  for (const volume of short) t.match(volume, /^\w/, 'a named volume')
  t.match(operatorSteps[0], /install -d -o 1000 -g 1000 -m 750 etc/)
})

t.test('the files that the image is built from are in one directory', async (t) => {
  t.equal(gate.build, '.')
  for (const name of ['Dockerfile', 'compose.yaml', 'README.md'])
    t.ok(statSync(`${repository}deploy/docker/${name}`).isFile(), name)
})
