/** The systemd units: valid, sandboxed, and patient enough for the daemon to shut down cleanly. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repository, run, stage } from './staging.js'
import { snapshotFrom } from '../support/snapshot-from.js'

const unit = `${repository}systemd/pinwarden.service`
const text = readFileSync(unit, 'utf8')
/** A tenth of it is NotifyAccess=all, without which systemd would not hear systemd-notify. */
const exposureMax = 1.3

const help = await run('systemd-analyze', ['--help'])
const skip =
  help.code !== 0
    ? 'systemd-analyze is not installed'
    : !help.text.includes('--offline') && 'systemd-analyze is older than systemd 250'

t.test(`its exposure is rated ${exposureMax} or better`, { skip }, async (t) => {
  const report = await run('systemd-analyze', [
    ...['security', '--offline=true', '--no-pager'],
    unit,
  ])
  const exposure = /Overall exposure level for pinwarden\.service: (\d+\.\d+)/.exec(
    report.text,
  )?.[1]
  t.ok(Number(exposure) <= exposureMax, `rated ${exposure ?? 'not at all'}`, report)
})

t.test('systemd finds no fault with it as it is installed', { skip }, async (t) => {
  const staging = stage(t, 'pretended')
  const outcome = await staging.install()
  if (outcome.code !== 0) {
    t.fail('install.sh failed', outcome)
    return
  }
  const installed = join(staging.root, 'etc/systemd/system/pinwarden.service')
  t.same(await verify(installed), [])
  t.same(await verify(join(staging.root, 'etc/systemd/system/pinwarden.socket')), [])

  t.test('nor with the drop-ins that its head proposes', async (t) => {
    const dropIns = [...text.matchAll(/^# {3}\[Service\]\n((?:# {3}\w+=.*\n)+)/gm)]
    t.equal(dropIns.length, 2)
    mkdirSync(`${installed}.d`)
    dropIns.forEach(([lines], index) => {
      writeFileSync(`${installed}.d/${index}.conf`, lines.replace(/^# {3}/gm, ''))
    })
    t.same(await verify(installed), [])
  })

  t.test('and would find one', async (t) => {
    writeFileSync(`${installed}.d/2.conf`, '[Service]\nNoSuchSetting=yes\n')
    t.match(await verify(installed), [/NoSuchSetting/])
  })
})

t.test('the kill comes later than the end of the shutdown that the daemon allows', async (t) => {
  const seconds = Number(/^TimeoutStopSec=(\d+)s$/m.exec(text)?.[1])
  const { lingerMs, shutdownMs } = snapshotFrom({}).config.listen
  t.ok(seconds * 1000 > lingerMs + shutdownMs + 5000)
})

t.test('the socket is for the port that the daemon would listen on by itself', (t) => {
  const socket = readFileSync(`${repository}systemd/pinwarden.socket`, 'utf8')
  const port = /^ListenStream=(.*)$/m.exec(socket)?.[1]
  t.equal(Number(port), snapshotFrom({}).config.listen.port)
  t.end()
})

/** Settings that came with systemd 250 or later, by its release notes. */
const newer = [
  ...['ExitType', 'RestrictFileSystems', 'RestrictNetworkInterfaces', 'StartupAllowedCPUs'],
  ...[
    'SetCredentialEncrypted',
    'LoadCredentialEncrypted',
    'ImportCredential',
    'ConditionOSRelease',
  ],
  ...['ExtensionDirectories', 'OpenFile', 'RestartSteps', 'RestartMaxDelaySec', 'RestartMode'],
  ...['MemoryZSwapMax', 'MemoryZSwapWriteback', 'MemoryPressureWatch', 'MemoryKSM', 'NFTSet'],
  ...['DelegateSubgroup', 'RootEphemeral', 'SurviveFinalKillSignal', 'ProtectControlGroupsEx'],
  ...[
    'PrivatePIDs',
    'PrivateUsersEx',
    'PollLimitBurst',
    'PassFileDescriptorsToExec',
    'DeferTrigger',
  ],
]

t.test('nothing in the units is newer than the systemd 249 of Ubuntu 22.04', (t) => {
  for (const name of ['pinwarden.service', 'pinwarden.socket']) {
    const lines = readFileSync(`${repository}systemd/${name}`, 'utf8').split('\n')
    const settings = lines.filter((line) => /^[A-Z]/.test(line))
    for (const setting of newer)
      t.notOk(
        settings.find((line) => line.startsWith(`${setting}=`)),
        `${name}: ${setting}`,
      )
    t.notOk(settings.find((line) => /^Type=notify-reload|^ProtectHostname=private|%d/.test(line)))
  }
  t.end()
})

t.test('it allows what Node cannot do without', async (t) => {
  t.notMatch(text, /^MemoryDenyWriteExecute=/m, 'V8 makes code and runs it')
  t.match(text, /^RestrictAddressFamilies=.*\bAF_NETLINK\b/m, 'for the list of addresses')
})

/** What systemd says of this unit; of others on the machine it may say what it likes. */
async function verify(file: string): Promise<string[]> {
  const { text } = await run('systemd-analyze', [
    ...['verify', '--man=no', '--recursive-errors=no'],
    file,
  ])
  return text.split('\n').filter((line) => line.includes('pinwarden'))
}
