/** The package's scripts, run by dpkg where systemd fails. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { noScratchMachine, onScratchMachine } from '../support/scratch-machine.js'
import { missing } from './programs.js'
import { repository, run } from './staging.js'
import { systemctl249 } from './systemctl-249.js'

const skip = missing('dpkg', 'dpkg-deb') || noScratchMachine

/** A package with the scripts and nothing else. */
async function packed(place: string, version: string): Promise<string> {
  const root = join(place, `root-${version}`)
  mkdirSync(join(root, 'DEBIAN'), { recursive: true })
  const fields = ['Package: pinwarden', `Version: ${version}`, 'Architecture: all']
  const others = ['Maintainer: test', 'Description: scripts only']
  writeFileSync(join(root, 'DEBIAN/control'), `${[...fields, ...others].join('\n')}\n`)
  for (const script of ['postinst', 'prerm', 'postrm'])
    cpSync(`${repository}deploy/debian/${script}`, join(root, 'DEBIAN', script))
  mkdirSync(join(root, 'usr/lib/sysusers.d'), { recursive: true })
  cpSync(
    `${repository}deploy/debian/pinwarden.sysusers`,
    join(root, 'usr/lib/sysusers.d/pinwarden.conf'),
  )
  const file = join(place, `${version}.deb`)
  const { code, text } = await run('dpkg-deb', ['--root-owner-group', '--build', root, file])
  if (code !== 0) throw new Error(text)
  return file
}

/** Runs the lines where systemd seems to run, by a systemctl of 249. */
async function withSystemd(t: Test, lines: (debs: readonly string[]) => readonly string[]) {
  const place = mkdtempSync(join(tmpdir(), 'pinwarden-upgrade-'))
  t.teardown(() => {
    rmSync(place, { recursive: true })
  })
  const bin = systemctl249(join(place, 'bin'))
  const debs = await Promise.all(['1.0.0', '1.0.1'].map((version) => packed(place, version)))
  const fail = `fail() { touch ${bin}/fails/$1; }; mend() { rm ${bin}/fails/$1; }`
  const state = "state() { dpkg-query -W -f '${Status} ${Version}\\n' pinwarden; }"
  const script = ['mkdir -p /run/systemd/system', fail, state, ...lines(debs)].join('\n')
  const ended = await onScratchMachine(`set -e\n${script}`, [place], {
    PATH: `${bin}:${process.env.PATH ?? ''}`,
  })
  return { ...ended, calls: readFileSync(join(bin, 'calls'), 'utf8').split('\n') }
}

t.test(
  'an upgrade restarts a running daemon, and does not start a stopped one',
  { skip },
  async (t) => {
    const { code, stdout, stderr, calls } = await withSystemd(t, ([one, two]) => [
      `dpkg -i ${one} >/dev/null`,
      `dpkg -i ${two} >/dev/null`,
      'state',
    ])
    t.equal(code, 0, stderr)
    t.match(stdout, /^install ok installed 1\.0\.1$/m)
    t.notMatch(stderr, /warning: .*restart/)
    t.same(calls.slice(0, 2), ['daemon-reload', 'try-restart pinwarden.service'])
  },
)

t.test(
  'a daemon that does not restart leaves a configured package, and a message says what to do',
  { skip },
  async (t) => {
    const { code, stdout, stderr } = await withSystemd(t, ([one, two]) => [
      `dpkg -i ${one} >/dev/null`,
      'fail try-restart',
      `dpkg -i ${two} >/dev/null`,
      'state',
      'dpkg --audit',
    ])
    t.equal(code, 0, stderr)
    t.equal(stdout.trim(), 'install ok installed 1.0.1')
    for (const words of [
      /pinwarden\.service did not restart/,
      /journalctl -u pinwarden/,
      /pinwarden check/,
      /systemctl start pinwarden/,
      /package of version 1\.0\.0/,
    ])
      t.match(stderr, words)
  },
)

t.test(
  'nor does a systemd that answers nothing keep the package from anything',
  { skip },
  async (t) => {
    const { code, stdout, stderr } = await withSystemd(t, ([one]) => [
      'fail daemon-reload',
      'fail try-restart',
      'fail disable',
      `dpkg -i ${one} >/dev/null`,
      'state',
      'dpkg --remove pinwarden >/dev/null',
      'dpkg --purge pinwarden >/dev/null',
      'test ! -e /etc/pinwarden',
    ])
    t.equal(code, 0, stderr)
    t.match(stdout, /^install ok installed 1\.0\.0$/m)
    t.match(stderr, /did not stop and disable/)
    t.match(stderr, /systemctl daemon-reload/)
  },
)
