/** Every command of the installed program, run once against a daemon; which there are it says itself. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandLine } from '../../src/cli/command-line.js'
import { programOf } from '../../src/cli/cli.js'
import { generatedCid, startFakeCluster } from '../support/fake-cluster/index.js'
import { freePort } from '../support/free-port.js'
import { say } from './host.js'
import { type Installed, startInstalled } from './installed-daemon.js'
import type { Steps } from './steps.js'

const [held, adopted, waiting] = [1, 2, 3].map(generatedCid)

/** Words of a command and its arguments → what it has to say. */
type Case = readonly [line: string, says: RegExp]

export async function commandSteps(steps: Steps, place: string): Promise<void> {
  const directory = join(place, 'commands')
  mkdirSync(directory)
  const cluster = await startFakeCluster()
  steps.teardown(() => cluster.close())
  const [admin, control] = ['admin', 'control'].map((name) => join(directory, `${name}.sock`))
  const installed = await startInstalled(directory, {
    admin: { socket: admin },
    control: { socket: control },
    cluster: { endpoints: [{ url: cluster.url }], health: { intervalMs: 1000, failuresMax: 1 } },
    onOutage: 'journal',
    unpin: { graceSeconds: 3600 },
  })
  const { configPath, daemon, ask } = installed
  const inPlace = (name: string) => join(directory, name)
  const done = new Set<string>()
  const leaves = commandsOf()
  /** Runs one command at a time, with `--config` if the command has it. */
  const runAll = async (cases: readonly Case[]): Promise<void> => {
    for (const [line, says] of cases) {
      const words = line.split(' ')
      const leaf = leaves.find(({ path }) => path.every((word, index) => words[index] === word))
      assert(leaf !== undefined, `there is no command ${line}`)
      const config = leaf.hasConfig && !line.includes('--config') ? ['--config', configPath] : []
      assert.match(await say('pinwarden', ...words, ...config), says, line)
      done.add(leaf.path.join(' '))
    }
  }

  await steps.step('commands: pins', async () => {
    assert.equal((await ask('POST', `/pins/${held}`)).status, 200)
    assert.equal((await ask('DELETE', `/pins/${held}`)).status, 200)
    cluster.addPin(adopted ?? '')
    writeFileSync(inPlace('cids'), `${adopted}\n`)
    await runAll([
      [`pins restore ${held}`, /restored/],
      [`pins show ${held}`, /alpha/],
      [`pins adopt --encoder alpha --cids ${inPlace('cids')}`, /1/],
      ['pins list --encoder alpha', new RegExp(`${adopted}`)],
      [`pins plan --encoder alpha --out ${inPlace('plan')}`, /^/],
      [`pins apply ${inPlace('plan')}`, /./],
      [`pins release ${generatedCid(8)} --reason test`, /1 not-pinned/],
    ])
    assert.match(readFileSync(inPlace('plan'), 'utf8'), new RegExp(`${held}`))
    return 'restored, shown, adopted, listed, planned, applied'
  })

  await steps.step('commands: journal', async () => {
    const comeBack = cluster.behave({ path: /./ }, { kind: 'reset' })
    assert.equal((await ask('POST', `/pins/${waiting}`)).status, 202)
    await runAll([
      ['journal list', new RegExp(`${waiting}`)],
      ['journal replay', /1 pin waits/],
      ['journal drop --all', /dropped 1 pin/],
    ])
    comeBack()
    return 'listed, replayed, dropped'
  })

  await steps.step('commands: ledger', async () => {
    await runAll([
      ['ledger check', /^problem +none$/m],
      [`ledger backup ${inPlace('copy.db')}`, /backed up the ledger to/],
    ])
    const forget = say('pinwarden', 'ledger', 'forget', 'aaaaaaaa', '--config', configPath)
    await assert.rejects(forget, /knows of no other gate aaaaaaaa/)
    done.add('ledger forget')
    return 'checked, backed up, no other gate to forget'
  })

  await steps.step('commands: keys and encoders', async () => {
    await runAll([
      ['keys add beta', /pw_\w{49}/],
      ['keys list', /beta/],
      ['keys rotate beta', /pw_\w{49}/],
    ])
    await runAll([
      [`keys revoke beta ${idOfLastKey(configPath)}`, /./],
      ['encoders list', /beta/],
      ['encoders disable beta', /./],
      ['encoders enable beta', /./],
      ['encoders remove beta', /./],
    ])
    return 'added, rotated, revoked, switched off and on, removed'
  })

  await steps.step('commands: the others', async () => {
    await backUp(installed)
    writeFileSync(inPlace('log'), daemon.stdout)
    const { url, key } = installed
    const other = ['--config', inPlace('other.json'), '--cluster', cluster.url].join(' ')
    await runAll([
      ['check', /^ok/m],
      ['check --online', /^ok/m],
      ['schema', /"\$schema"/],
      ['completion bash', /complete -F/],
      ['status', /^ready +yes$/m],
      ['reload', /^/],
      [`tail ${inPlace('log')}`, /alpha/],
      [`report ${inPlace('log')}`, /alpha|nothing/],
      [`init --host 127.0.0.1 --port ${await freePort()} ${other}`, /pw_\w{49}/],
      [`probe ${url.replace('//', `//alpha:${key}@`)} ${generatedCid(9)}`, /^ok +unpin/m],
    ])
    await watched(configPath)
    done.add('serve')
    return 'checked, reloaded, watched, probed, init, schema, tail, report'
  })

  await steps.step('commands: none is left out', async () => {
    await installed.stop()
    // Over the file that is there, so that it stays the daemon's.
    writeFileSync(inPlace('ledger.db'), readFileSync(inPlace('copy.db')))
    await runAll([['ledger trust', /is now trusted/]])
    const missed = leaves.map(({ path }) => path.join(' ')).filter((path) => !done.has(path))
    assert.deepEqual(missed, [], 'each command has a case above')
    return `${leaves.length} commands`
  })
}

/** The commands that do something, by the command line's own account. */
function commandsOf(): { readonly path: readonly string[]; readonly hasConfig: boolean }[] {
  const nothing = { write: () => true }
  const io = { stdout: nothing, stderr: nothing, env: {} }
  const below = (command: ReturnType<typeof programOf>, path: string[]): Leaf[] =>
    command.commands.length > 0
      ? command.commands.flatMap((each) => below(each, [...path, each.name()]))
      : [{ path, hasConfig: command.options.some(({ long }) => long === '--config') }]
  return below(programOf(new CommandLine(io)), [])
}

interface Leaf {
  readonly path: readonly string[]
  readonly hasConfig: boolean
}

function idOfLastKey(configPath: string): string {
  const { encoders } = JSON.parse(readFileSync(configPath, 'utf8')) as {
    encoders: Record<string, { keys: { id: string }[] }>
  }
  return encoders.beta?.keys.at(-1)?.id ?? ''
}

/** The cluster was down for the journal; its endpoint has to be up again. */
async function backUp({ ask }: Installed): Promise<void> {
  while ((await ask('GET', '/id')).status !== 200) await new Promise(setImmediate)
}

/** Watches until it has shown something, and ends it as Ctrl-C does. */
async function watched(configPath: string): Promise<void> {
  const child = spawn('pinwarden', ['status', '--watch', '0.1', '--config', configPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = once(child, 'exit')
  while (!text.includes('ENCODER')) await once(child.stdout, 'data')
  child.kill('SIGINT')
  assert.deepEqual(await ended, [0, null])
}
