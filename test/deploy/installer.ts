/**
 * The installer and its counterpart, really run against a root of their own. They take longer
 * than all other tests: `npm run test:package` runs this file.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fingerprint, repository, run, stage, type Staging } from './staging.js'

// A real npm fetches the dependencies, and the machine may be busy.
t.setTimeout(600_000)

const skip = process.platform !== 'linux' && 'the scripts are for Linux'

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8)

const currentOf = ({ root }: Staging) => readlinkSync(join(root, 'opt/pinwarden/current'))

/** Makes another version of the release. */
function release({ release }: Staging, version: string): void {
  for (const name of ['package.json', 'package-lock.json']) {
    const file = join(release, name)
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(/"version": "[^"]+"/, `"version": "${version}"`))
  }
}

t.test('a staged install', { skip }, async (t) => {
  const staging = stage(t, 'real')
  const { root, install, program } = staging
  const config = join(root, 'etc/pinwarden/config.json')
  const { code, text } = await install()
  if (code !== 0) {
    t.fail('install.sh failed', { text })
    return
  }

  t.test('holds a program that starts, with its own version', async (t) => {
    const { version } = JSON.parse(readFileSync(`${repository}package.json`, 'utf8')) as {
      version: string
    }
    t.same(await program('--version'), { code: 0, text: `${version}\n` })
  })

  t.test('holds the dependencies of the program, and none of its development', async (t) => {
    const modules = join(root, 'opt/pinwarden/current/node_modules')
    t.ok(existsSync(join(modules, 'fastify')))
    t.notOk(existsSync(join(modules, 'typescript')))
    t.notOk(existsSync(join(modules, 'tap')))
  })

  t.test('has a place for the configuration, closed to other users, that init fills', async (t) => {
    t.equal(modeOf(join(root, 'etc/pinwarden')), '750')
    t.notOk(existsSync(config), 'nothing listens before somebody said where')
    const { code } = await program('init', '--config', config, '--host', '127.0.0.1', '--port', '0')
    t.equal(code, 0)
    t.match(await program('check', '--config', config), { code: 0, text: /^ok: /m })
    t.equal(modeOf(config), '640')
  })

  t.test('runs the node that was found, at the place where the program will be', async (t) => {
    const main = '/opt/pinwarden/current/dist/src/main.js'
    const wrapper = readFileSync(join(root, 'usr/local/bin/pinwarden'), 'utf8')
    const unit = readFileSync(join(root, 'etc/systemd/system/pinwarden.service'), 'utf8')
    t.equal(
      wrapper,
      `#!/bin/sh\nexec ${process.execPath} --disable-sigusr1 --max-semi-space-size=16 ${main} "$@"\n`,
    )
    t.equal(modeOf(join(root, 'usr/local/bin/pinwarden')), '755')
    const commands = (unit.match(/^Exec.*$/gm) ?? []).filter((line) => !line.includes('/bin/kill'))
    t.equal(commands.length, 3)
    for (const command of commands)
      t.ok(
        command.includes(
          `=${process.execPath} --disable-sigusr1 --max-semi-space-size=16 ${main} `,
        ),
        command,
      )
  })

  t.test('is unchanged after a second one', async (t) => {
    const before = fingerprint(root)
    t.match(await install(), { code: 0 })
    t.same(fingerprint(root), before)
  })

  t.test('leaves its configuration behind when uninstalled, unless purged', async (t) => {
    t.match(await staging.uninstall(), { code: 0 })
    t.same(filesIn(root), ['etc/pinwarden/config.json'])
    t.match(await staging.uninstall('--purge'), { code: 0 })
    t.same(filesIn(root), [])
    t.same(await staging.uninstall('--purge'), { code: 0, text: '' }, 'once more is no error')
  })
})

t.test('by default it runs the Node that comes with the release', { skip }, async (t) => {
  const staging = stage(t, 'pretended')
  const { code, text } = await staging.installPlainly()
  t.equal(code, 0, text)
  const current = '/opt/pinwarden/current'
  const node = `${current}/node_modules/node-linux-${process.arch}/bin/node`
  t.ok(existsSync(staging.root + node))
  const wrapper = readFileSync(join(staging.root, 'usr/local/bin/pinwarden'), 'utf8')
  t.equal(
    wrapper,
    `#!/bin/sh\nexec ${node} --disable-sigusr1 --max-semi-space-size=16 ${current}/dist/src/main.js "$@"\n`,
  )
  const unit = readFileSync(join(staging.root, 'etc/systemd/system/pinwarden.service'), 'utf8')
  t.equal(unit.match(/^Exec\w+=.*node-linux/gm)?.length, 3)
  const bash = readFileSync(
    join(staging.root, 'usr/local/share/bash-completion/completions/pinwarden'),
    'utf8',
  )
  t.match(bash, /^complete -F _pinwarden pinwarden$/m)
})

t.test(
  'an upgrade switches to the new program and keeps the configuration and the previous release',
  { skip },
  async (t) => {
    const staging = stage(t, 'pretended')
    const config = join(staging.root, 'etc/pinwarden/config.json')
    const installed: string[] = []
    for (const version of ['7.0.0', '7.1.0', '7.2.0']) {
      release(staging, version)
      t.match(await staging.install(), { code: 0 })
      t.same(await staging.program('--version'), { code: 0, text: `${version}\n` })
      installed.push(currentOf(staging))
      if (version === '7.0.0') writeFileSync(config, '{ "listen": { "port": 9100 } }')
    }
    t.equal(readFileSync(config, 'utf8'), '{ "listen": { "port": 9100 } }')
    t.same(
      readdirSync(join(staging.root, 'opt/pinwarden/releases')).map((name) => `releases/${name}`),
      installed.slice(1),
    )
  },
)

t.test('another build of the same version is also an upgrade', { skip }, async (t) => {
  const staging = stage(t, 'pretended')
  await staging.install()
  const before = currentOf(staging)
  writeFileSync(join(staging.release, 'dist/src/another.js'), '')
  t.match(await staging.install(), { code: 0 })
  t.not(currentOf(staging), before)
})

t.test('a program that does not start never replaces one that does', { skip }, async (t) => {
  const staging = stage(t, 'pretended')
  t.match(await staging.install(), { code: 0 })
  const before = fingerprint(staging.root)
  writeFileSync(join(staging.release, 'dist/src/main.js'), 'throw new Error("broken")')
  t.match(await staging.install(), { code: 1, text: /error: the new program does not start/ })
  t.same(fingerprint(staging.root), before, 'nothing is left of the attempt')
})

t.test(
  'a configuration that the new program refuses is reported, not changed',
  { skip },
  async (t) => {
    const staging = stage(t, 'pretended')
    const config = join(staging.root, 'etc/pinwarden/config.json')
    mkdirSync(join(staging.root, 'etc/pinwarden'), { recursive: true })
    writeFileSync(config, '{ "lisen": {} }')
    t.match(await staging.install(), { code: 0, text: /warning: the new program refuses / })
    t.equal(readFileSync(config, 'utf8'), '{ "lisen": {} }')
  },
)

t.test('a checkout is built when its sources are newer than the build', { skip }, async (t) => {
  const staging = stage(t, 'pretended')
  const { release } = staging
  mkdirSync(join(release, 'src'))
  cpSync(`${repository}tsconfig.json`, join(release, 'tsconfig.json'))
  const past = new Date('2020-01-01')
  utimesSync(join(release, 'dist/src/main.js'), past, past)
  t.match(await staging.install(), { code: 0 })
  const build = ['ci --ignore-scripts', 'run --silent clean', 'run --silent build']
  const calls = staging.npmCalls().map((call) => call.replace(/ --no-audit.*/, ''))
  t.same(calls.slice(0, 3), build)
  t.match(await staging.install(), { code: 0 })
  t.same(staging.npmCalls().length, calls.length, 'a second run builds and fetches nothing')
})

t.test('wrong usage changes nothing and says what is right', { skip }, async (t) => {
  for (const script of ['install.sh', 'uninstall.sh']) {
    t.match(await run(`${repository}deploy/${script}`, ['--prefix', 'x']), {
      code: 2,
      text: /^usage: /,
    })
  }
})

const shellcheck = await run('shellcheck', ['--version'])
const unchecked = shellcheck.code !== 0 && 'shellcheck is not installed'

t.test('shellcheck has nothing to say about the scripts', { skip: unchecked }, async (t) => {
  const scripts = ['install.sh', 'uninstall.sh'].map((name) => `${repository}deploy/${name}`)
  t.same(await run('shellcheck', scripts), { code: 0, text: '' })
})

function filesIn(root: string): string[] {
  return Object.keys(fingerprint(root)).filter((path) => !statSync(join(root, path)).isDirectory())
}
