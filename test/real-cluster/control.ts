/** The real ipfs-cluster-ctl through a gate in front of a real cluster. */
import { execFile } from 'node:child_process'
import t from 'tap'
import { startGate } from '../support/start-gate.js'
import { binaries } from './binaries.js'
import { peername, startCluster } from './cluster-service.js'
import { startKubo } from './kubo.js'
import { eventually } from './settled.js'

t.setTimeout(300_000)
const { ctl = '', kubo: kuboProgram, service } = binaries()

interface Said {
  readonly code: number
  readonly text: string
}

t.test('ipfs-cluster-ctl works through the gate, except for forbidden commands', async (t) => {
  const kubo = await startKubo(t, kuboProgram)
  const cluster = await startCluster(t, service, kubo)
  const gate = await startGate(t, { clusterUrl: cluster.url })
  const cid = await kubo.add('pinned by ctl')
  const credential = `alpha:${gate.keys.alpha ?? ''}`
  const reach = ['--host', `/ip4/127.0.0.1/tcp/${gate.port}`, '--force-http']
  const run = (...args: string[]) =>
    new Promise<Said>((resolve) => {
      const all = [...reach, '--basic-auth', credential, ...args]
      execFile(ctl, all, { timeout: 60_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code ?? -1)
        resolve({ code, text: stdout + stderr })
      })
    })
  /** The requests since the last look. */
  let seen = 0
  const asked = () => {
    const news = gate.lines.slice(seen)
    seen = gate.lines.length
    return news.map(({ method, path, status }) => `${method} ${path} ${status}`)
  }
  const succeeds = async (...args: string[]) => {
    const { code, text } = await run(...args)
    t.equal(code, 0, `${args.join(' ')}: ${text}`)
    return text
  }

  t.match(await succeeds('id'), new RegExp(`${cluster.id} \\| ${peername}`))
  t.match(asked(), ['GET /id 200'])
  t.match(await succeeds('pin', 'add', '--name', 'by ctl', cid), cid)
  t.match(asked(), [/^POST \/pins\/ipfs\/.* 200$/, /^GET \/pins\/.* 200$/])
  await eventually('it is pinned', async () =>
    (await run('status', cid)).text.includes('PINNED') ? true : undefined,
  )
  asked()
  t.match(await succeeds('status'), /by ctl/)
  t.match(asked(), ['GET /pins 200'])
  t.match(await succeeds('status', cid, 'bafkqaaa'), /UNPINNED/)
  t.match(asked(), [/^GET \/pins 200$/])
  t.match(await succeeds('recover', cid), 'PINNED')
  t.match(asked(), [/^POST \/pins\/.*\/recover.* 200$/])

  const refused = await run('pin', 'ls')
  t.equal(refused.code, 2, 'the API said no')
  t.match(refused.text, 'Code: 404')
  t.match(asked(), [/^GET \/allocations.* 404$/])
  for (const command of [['peers', 'ls'], ['version'], ['ipfs', 'gc'], ['health', 'graph']]) {
    t.equal((await run(...command)).code, 2, command.join(' '))
  }
  asked()

  t.match(await succeeds('pin', 'rm', cid), 'UNPINNED')
  t.match(asked(), [/^DELETE \/pins\/ipfs\/.* 200$/, /^GET \/pins\/.* 200$/])
  const denied = await run('--basic-auth', 'alpha:wrong', 'id')
  t.equal(denied.code, 2)
  t.match(denied.text, 'unauthorized: access denied')
})
