/** The demo, run as a stranger runs it: what it prints works as it stands there. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'

const program = fileURLToPath(new URL('demo.js', import.meta.url))
const run = promisify(execFile)

function started(t: Test, port: string, ...args: readonly string[]) {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, program, ...args], {
    env: { ...process.env, PORT: port },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGTERM'))
  const ended = once(child, 'close') as Promise<[code: number | null]>
  let [text, complaints] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
  return {
    text: () => text,
    async says(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const match = pattern.exec(text)
        if (match !== null) return match
        if (child.exitCode !== null) throw new Error(`ended without ${pattern.source}: ${text}`)
        await Promise.race([once(child.stdout, 'data'), ended])
      }
    },
    leave: () => {
      child.stdout.destroy()
    },
    end: async () => {
      child.kill('SIGINT')
      return { code: (await ended)[0], complaints }
    },
    ended: async () => ({ code: (await ended)[0], complaints }),
  }
}

t.test('its commands and its status page work as it prints them', async (t) => {
  const demo = started(t, '0', '--quiet')
  await demo.says(/Ctrl-C/)
  t.match(demo.text(), /^ {2}IPFS_CLUSTER_ENDPOINT=http:\/\/demo:pw_\w+@127\.0\.0\.1:\d+$/m)
  const commands = [...demo.text().matchAll(/^ {2}(curl .*)$/gm)].map(([, command = '']) => command)
  t.equal(commands.length, 4)
  for (const command of commands.slice(0, 3)) {
    const { stdout } = await run('bash', ['-c', `${command} -sS`])
    t.match(JSON.parse(stdout), { cid: /^Qm/ }, command.slice(0, 14))
  }
  const wrong = await run('bash', ['-c', `${commands[3] ?? ''} -sS`])
  t.match(JSON.parse(wrong.stdout), { code: 401 })
  await demo.says(/ demo +DELETE \/pins\/Qm\w+ 200 answered/)

  const [, certFile = '', endpoint = ''] = await demo.says(
    /NODE_EXTRA_CA_CERTS=(.+)\n {2}IPFS_CLUSTER_ENDPOINT=(https:.+)/,
  )
  const { stdout: id } = await run('curl', ['-sS', '--cacert', certFile, `${endpoint}/id`])
  t.match(JSON.parse(id), { peername: String })

  const [, page = ''] = await demo.says(/Status page +(\S+)/)
  t.match(await (await fetch(page)).text(), /<title>/)
  t.notMatch(demo.text(), /studio-1 +POST/, 'it is quiet')
  t.same(await demo.end(), { code: 0, complaints: '' })
})

t.test('its encoders pin, unpin and list, and one is refused', async (t) => {
  const demo = started(t, '0')
  await demo.says(/studio-1 +POST \/pins\/baf\w+ 200 answered/)
  await demo.says(/studio-2 +GET \/pins 200 answered/)
  await demo.says(/- +GET \/id 401 refused key-unknown/)
  await demo.says(/studio-1 +DELETE \/pins\/baf\w+ 200 answered/)
  t.same(await demo.end(), { code: 0, complaints: '' })
})

t.test('it shuts down cleanly when its reader, such as head, ends', async (t) => {
  const demo = started(t, '0')
  const [, certFile = ''] = await demo.says(/NODE_EXTRA_CA_CERTS=(.+)/)
  demo.leave()
  t.same(await demo.ended(), { code: 0, complaints: '' })
  t.notOk(existsSync(certFile), 'nothing of it is left')
})

t.test('failures are reported in one sentence', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const sentences: [port: string, args: string[], code: number, sentence: RegExp][] = [
    [
      String(port),
      [],
      1,
      /^demo: port \d+ is taken, perhaps by another demo; try PORT=0 npm run demo\n$/,
    ],
    ['abc', [], 2, /^demo: PORT=abc is not a port; use a number from 0 to 65535\n$/],
    ['65536', [], 2, /^demo: PORT=65536 is not a port; .+\n$/],
    ['-1', [], 2, /^demo: PORT=-1 is not a port; .+\n$/],
    ['0', ['--quite'], 2, /^demo: unknown argument --quite; .+\n$/],
  ]
  for (const [at, args, code, sentence] of sentences) {
    const ended = await started(t, at, ...args).ended()
    t.match(ended, { code, complaints: sentence }, at)
  }
})
